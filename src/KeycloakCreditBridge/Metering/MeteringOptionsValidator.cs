using System.Globalization;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Metering;

internal sealed class MeteringOptionsValidator(IOptions<ProvisioningOptions> provisioning) : IValidateOptions<MeteringOptions>
{
    private const int MinKeyLength = 16;
    private const decimal MaxPrice = 1_000_000m;

    private static readonly TimeSpan MaxBudget = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MinRetention = TimeSpan.FromDays(7);
    private static readonly TimeSpan MinRefusalRetention = TimeSpan.FromDays(1);

    public ValidateOptionsResult Validate(string? name, MeteringOptions options)
    {
        List<string> problems = [];
        if (options.ApiKeys.Count > 2)
            Add("ApiKeys", $"has {options.ApiKeys.Count} entries: give one, or two while one replaces the other.");
        for (var index = 0; index < options.ApiKeys.Count; index++)
            if (string.IsNullOrWhiteSpace(options.ApiKeys[index]) || options.ApiKeys[index].Length < MinKeyLength)
                Add($"ApiKeys:{index}", $"is shorter than {MinKeyLength} characters: give a random one, such as `openssl rand -hex 24` makes.");
        if (options.Gate.Budget <= TimeSpan.Zero || options.Gate.Budget > MaxBudget)
            Add("Gate:Budget", $"is {options.Gate.Budget}: choose more than 00:00:00 and at most {MaxBudget}.");
        if (options.RecordRetention < MinRetention)
            Add("RecordRetention", $"is {options.RecordRetention}: choose at least {MinRetention:c}, as gateways send reports again for days.");
        if (options.RefusalRetention < MinRefusalRetention)
            Add("RefusalRetention", $"is {options.RefusalRetention}: choose at least {MinRefusalRetention:c}, so that somebody can look at them.");
        if (options.MaxBodyBytes is < 1024 or > 64 * 1024 * 1024)
            Add("MaxBodyBytes", $"is {options.MaxBodyBytes}: choose 1024 to 67108864.");
        Named("Gate:WithoutUser", options.Gate.WithoutUser);
        Named("Gate:UnknownUser", options.Gate.UnknownUser);
        Named("Gate:Undecided", options.Gate.Undecided);
        Named("Prices:From", options.Prices.From);
        Named("Prices:CacheHits", options.Prices.CacheHits);
        Named("BelowZero", options.BelowZero);
        Priced("Markups", options.Prices.Markups);
        Priced("Models", options.Prices.Models);
        Priced("Tiers", options.Prices.Tiers);
        var named = new HashSet<string>(options.Prices.Models.Keys, StringComparer.Ordinal);
        for (var index = 0; index < options.Prices.NamedModels.Count; index++)
        {
            var (model, credits) = (options.Prices.NamedModels[index].Model, options.Prices.NamedModels[index].Credits);
            if (string.IsNullOrEmpty(model) || !named.Add(model))
                Add($"Prices:NamedModels:{index}:Model", $"is '{model}': name a model, each once.");
            if (credits is null or < 0m or > MaxPrice)
                Add($"Prices:NamedModels:{index}:Credits", $"is {credits?.ToString(CultureInfo.InvariantCulture) ?? "missing"}: choose 0 to {MaxPrice}.");
        }

        if (options.ApiKeys.Count > 0)
            foreach (var tier in provisioning.Value.Tiers.Keys.Where(tier => !options.Prices.Tiers.ContainsKey(tier)))
                Add($"Prices:Tiers:{tier}", "is missing: say what 1,000 tokens of a model without a price cost in this tier, or 0.");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);

        void Add(string key, string problem) => problems.Add($"{MeteringOptions.Section}:{key} {problem}");

        // A number that names no value would be bound too.
        void Named<T>(string key, T value)
            where T : struct, Enum
        {
            if (!Enum.IsDefined(value))
                Add(key, $"is {value}: choose {string.Join(" or ", Enum.GetNames<T>())}.");
        }

        void Priced(string key, Dictionary<string, decimal> prices)
        {
            foreach (var (of, price) in prices.Where(item => item.Value is < 0m or > MaxPrice))
                Add($"Prices:{key}:{of}", $"is {price}: choose 0 to {MaxPrice}.");
        }
    }
}
