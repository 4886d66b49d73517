using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>What an account is opened with.</summary>
internal sealed class ProvisioningOptions
{
    public const string Section = "Provisioning";

    /// <summary>Tier of a new account; a key of <see cref="Tiers"/>.</summary>
    public string Tier { get; set; } = "trial";

    /// <summary>How long a period lasts; `last_reset` of a new account is now plus this.</summary>
    public TimeSpan Period { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Tiers by name.</summary>
    public Dictionary<string, TierOptions> Tiers { get; set; } = new(StringComparer.Ordinal)
    {
        ["free"] = new() { Credits = 0m },
        ["trial"] = new() { Credits = 5.00m },
        ["starter"] = new() { Credits = 20.00m },
        ["professional"] = new() { Credits = 60.00m },
        ["enterprise"] = new() { Unlimited = true },
    };
}

/// <summary>What a tier grants for each period.</summary>
internal sealed class TierOptions
{
    /// <summary>Credits granted, at most six decimals.</summary>
    public decimal Credits { get; set; }

    /// <summary>Most credits a period may use; the granted credits when absent.</summary>
    public decimal? MonthlyCap { get; set; }

    /// <summary>Metered, not bounded: the account has no cap and its balance refuses nothing.</summary>
    public bool Unlimited { get; set; }
}

internal sealed class ProvisioningOptionsValidator : IValidateOptions<ProvisioningOptions>
{
    private const decimal Largest = 99_999_999_999_999m;

    public ValidateOptionsResult Validate(string? name, ProvisioningOptions options)
    {
        List<string> problems = [];
        if (!options.Tiers.ContainsKey(options.Tier))
            problems.Add($"Provisioning:Tier is '{options.Tier}': choose one of {string.Join(", ", options.Tiers.Keys)}, or add it to Provisioning:Tiers.");
        if (options.Period <= TimeSpan.Zero)
            problems.Add($"Provisioning:Period is {options.Period}: choose a positive time span such as 30.00:00:00.");
        foreach (var (tier, terms) in options.Tiers)
        {
            Check($"Provisioning:Tiers:{tier}:Credits", terms.Credits);
            Check($"Provisioning:Tiers:{tier}:MonthlyCap", terms.MonthlyCap ?? 0m);
        }

        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);

        void Check(string key, decimal amount)
        {
            if (amount is < 0m or > Largest || decimal.Round(amount, 6) != amount)
                problems.Add($"{key} is {amount}: choose 0 to {Largest} with at most six decimals.");
        }
    }
}
