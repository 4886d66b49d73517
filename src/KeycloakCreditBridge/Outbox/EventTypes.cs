namespace KeycloakCreditBridge.Outbox;

/// <summary>What events tell. The triggers of migrations 0075 and 0090 write these.</summary>
internal static class EventTypes
{
    /// <summary>What `events test` sends: nothing happened.</summary>
    public const string Test = "credits.test";

    /// <summary>All that is recorded, in the order of an account's life.</summary>
    public static readonly string[] All =
    [
        "credits.account.opened", "credits.account.held", "credits.account.reopened", "credits.account.closed", "credits.granted",
        "credits.low", "credits.exhausted", "credits.expiring", "credits.expired", "credits.period.renewed", "tier.switched",
        "grant.held", "grant.approved", "grant.rejected",
    ];
}
