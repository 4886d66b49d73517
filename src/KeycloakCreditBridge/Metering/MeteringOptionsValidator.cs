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
            Add("ApiKeys", $"has {options.ApiKeys.Count} entries: configure one, or two during a rotation.");
        for (var index = 0; index < options.ApiKeys.Count; index++)
            if (string.IsNullOrWhiteSpace(options.ApiKeys[index]) || options.ApiKeys[index].Length < MinKeyLength)
                Add($"ApiKeys:{index}", $"is shorter than {MinKeyLength} characters: use a random one, as from `openssl rand -hex 24`.");
        if (options.Gate.Budget <= TimeSpan.Zero || options.Gate.Budget > MaxBudget)
            Add("Gate:Budget", $"is {options.Gate.Budget}: choose more than 00:00:00 and at most {MaxBudget}.");
        if (options.RecordRetention < MinRetention)
            Add("RecordRetention", $"is {options.RecordRetention}: choose {MinRetention:c} or more, as gateways repeat reports for days.");
        if (options.RefusalRetention < MinRefusalRetention)
            Add("RefusalRetention", $"is {options.RefusalRetention}: choose {MinRefusalRetention:c} or more, for a review.");
        if (options.MaxBodyBytes is < 1024 or > 64 * 1024 * 1024)
            Add("MaxBodyBytes", $"is {options.MaxBodyBytes}: choose 1024 to 67108864.");
        CheckEnum("Gate:WithoutUser", options.Gate.WithoutUser);
        CheckEnum("Gate:UnknownUser", options.Gate.UnknownUser);
        CheckEnum("Gate:Undecided", options.Gate.Undecided);
        CheckEnum("Prices:From", options.Prices.From);
        CheckEnum("Prices:CacheHits", options.Prices.CacheHits);
        CheckEnum("BelowZero", options.BelowZero);
        CheckEnum("FailedCalls", options.FailedCalls);
        CheckPrices("Markups", options.Prices.Markups);
        CheckPrices("Models", options.Prices.Models);
        CheckPrices("Tiers", options.Prices.Tiers);
        var named = new HashSet<string>(options.Prices.Models.Keys, StringComparer.Ordinal);
        for (var index = 0; index < options.Prices.NamedModels.Count; index++)
        {
            var (model, credits) = (options.Prices.NamedModels[index].Model, options.Prices.NamedModels[index].Credits);
            if (string.IsNullOrEmpty(model) || !named.Add(model))
                Add($"Prices:NamedModels:{index}:Model", $"is '{model}': name a model, and each model once.");
            if (credits is null or < 0m or > MaxPrice)
                Add(
                    $"Prices:NamedModels:{index}:Credits",
                    $"is {credits?.ToString(CultureInfo.InvariantCulture) ?? "missing"}: choose 0 to {MaxPrice}.");
        }

        if (options.ApiKeys.Count > 0)
            foreach (var tier in provisioning.Value.Tiers.Keys.Where(tier => !options.Prices.Tiers.ContainsKey(tier)))
                Add($"Prices:Tiers:{tier}", "is missing: set the price of 1,000 tokens of models without their own price, or 0.");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);

        void Add(string key, string problem) => problems.Add($"{MeteringOptions.Section}:{key} {problem}");

        // The binder also accepts numbers that are no value.
        void CheckEnum<T>(string key, T value)
            where T : struct, Enum
        {
            if (!Enum.IsDefined(value))
                Add(key, $"is {value}: choose {string.Join(" or ", Enum.GetNames<T>())}.");
        }

        void CheckPrices(string key, Dictionary<string, decimal> prices)
        {
            foreach (var (of, price) in prices.Where(item => item.Value is < 0m or > MaxPrice))
                Add($"Prices:{key}:{of}", $"is {price}: choose 0 to {MaxPrice}.");
        }
    }
}
