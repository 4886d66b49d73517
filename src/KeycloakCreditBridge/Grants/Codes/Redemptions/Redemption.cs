namespace KeycloakCreditBridge.Grants.Codes.Redemptions;

/// <summary>Values of the column `state` of a redemption.</summary>
internal static class RedemptionStates
{
    public const string Paid = "paid";

    /// <summary>The place is taken, and paid when what is required is met.</summary>
    public const string Held = "held";

    /// <summary>It was held, and its place was given back.</summary>
    public const string Rejected = "rejected";

    /// <summary>It was paid, and an administrator took the grant back.</summary>
    public const string Void = "void";
}

internal enum RedeemOutcome
{
    Paid,
    PaidBefore,
    Held,

    /// <summary>For whatever reason: who asks is never told which.</summary>
    Refused,

    /// <summary>The user failed too often: nothing is tried until <see cref="Redemption.Wait"/> is over.</summary>
    UserLimited,

    /// <summary>It failed, as too many did from its network.</summary>
    NetworkLimited,

    /// <summary>It failed, as too many did in its realm.</summary>
    RealmLimited,
}

/// <summary>What a user's attempt came to.</summary>
internal sealed record Redemption(RedeemOutcome Outcome)
{
    /// <summary>The account for which it was tried.</summary>
    public string AccountId { get; init; } = "";

    /// <summary>The key of the grant, also of one that waits; null where the code was not redeemed.</summary>
    public string? GrantKey { get; init; }

    /// <summary>What it pays; null where the code was not redeemed.</summary>
    public CodeTerms? Terms { get; init; }

    /// <summary>What its campaign requires.</summary>
    public IReadOnlyList<string> Requires { get; init; } = [];

    /// <summary>Where a limit was reached: how long until it is not.</summary>
    public TimeSpan Wait { get; init; }
}
