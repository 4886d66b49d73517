using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits;

/// <summary>The HTTP API of balances, ledger and usage.</summary>
internal sealed class CreditsOptions
{
    public const string Section = "Credits";

    /// <summary>What `aud` of an access token must hold, and the client whose roles count beside the realm's.</summary>
    public string Audience { get; set; } = "credit-bridge";

    /// <summary>What becomes of somebody who has no account when their credits are asked for.</summary>
    public FirstReadMode FirstRead { get; set; }

    /// <summary>How many balances are remembered, each for a second at most; 0 has every one read from the database.</summary>
    public int BalanceCache { get; set; } = 10_000;

    /// <summary>How long an Idempotency-Key is kept with its answer.</summary>
    public TimeSpan IdempotencyRetention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How many requests are taken.</summary>
    public RateLimitOptions RateLimits { get; set; } = new();
}

internal enum FirstReadMode
{
    /// <summary>The account is opened at once.</summary>
    Provision,

    /// <summary>The answer is 404.</summary>
    NotFound,
}

/// <summary>Requests a second; ten seconds' worth may come at once.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>By each signed-in user or client.</summary>
    public int PerUser { get; set; } = 100;

    /// <summary>From each address, whoever calls.</summary>
    public int PerAddress { get; set; } = 1_000;

    /// <summary>Webhooks, and what gateways ask and report, from each address: Keycloak and a gateway send for everybody.</summary>
    public int Machines { get; set; } = 5_000;
}

internal sealed class CreditsOptionsValidator : IValidateOptions<CreditsOptions>
{
    public ValidateOptionsResult Validate(string? name, CreditsOptions options)
    {
        List<string> problems = [];
        if (string.IsNullOrWhiteSpace(options.Audience))
            problems.Add("Credits:Audience is empty: name the client that tokens are made for, such as credit-bridge.");
        if (options.BalanceCache is < 0 or > 1_000_000)
            problems.Add($"Credits:BalanceCache is {options.BalanceCache}: choose 0 to 1000000 balances.");
        if (options.IdempotencyRetention < TimeSpan.FromHours(1) || options.IdempotencyRetention > TimeSpan.FromDays(365))
            problems.Add($"Credits:IdempotencyRetention is {options.IdempotencyRetention}: choose 01:00:00 to 365.00:00:00.");
        Check("PerUser", options.RateLimits.PerUser);
        Check("PerAddress", options.RateLimits.PerAddress);
        Check("Machines", options.RateLimits.Machines);
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);

        void Check(string key, int limit)
        {
            if (limit is < 1 or > 100_000)
                problems.Add($"Credits:RateLimits:{key} is {limit}: choose 1 to 100000 requests a second.");
        }
    }
}
