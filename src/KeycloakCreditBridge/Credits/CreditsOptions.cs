using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits;

/// <summary>The HTTP API of balances, ledger and usage.</summary>
internal sealed class CreditsOptions
{
    public const string Section = "Credits";

    /// <summary>What happens when the credits of a user without an account are read.</summary>
    public FirstReadMode FirstRead { get; set; }

    /// <summary>How many balances are cached, each for a second at most; 0 reads each from the database.</summary>
    public int BalanceCache { get; set; } = 10_000;

    /// <summary>Origins whose pages may call the API from a browser, such as https://app.example.com.</summary>
    public List<string> AllowedOrigins { get; set; } = [];

    /// <summary>How long an Idempotency-Key is kept with its answer.</summary>
    public TimeSpan IdempotencyRetention { get; set; } = TimeSpan.FromDays(7);
}

internal enum FirstReadMode
{
    /// <summary>The account is opened at once.</summary>
    Provision,

    /// <summary>The answer is 404.</summary>
    NotFound,
}

internal sealed class CreditsOptionsValidator : IValidateOptions<CreditsOptions>
{
    public ValidateOptionsResult Validate(string? name, CreditsOptions options)
    {
        List<string> problems = [];
        if (options.BalanceCache is < 0 or > 1_000_000)
            problems.Add($"Credits:BalanceCache is {options.BalanceCache}: choose 0 to 1000000 balances.");
        if (options.IdempotencyRetention < TimeSpan.FromHours(1) || options.IdempotencyRetention > TimeSpan.FromDays(365))
            problems.Add($"Credits:IdempotencyRetention is {options.IdempotencyRetention}: choose 01:00:00 to 365.00:00:00.");
        for (var index = 0; index < options.AllowedOrigins.Count; index++)
            if (!IsOrigin(options.AllowedOrigins[index]))
                problems.Add(
                    $"Credits:AllowedOrigins:{index} is '{options.AllowedOrigins[index]}': give scheme and host as browsers send them, "
                    + "without a path or a slash at the end, such as https://app.example.com.");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private static bool IsOrigin(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is ("http" or "https")
        && uri.GetLeftPart(UriPartial.Authority) == text;
}
