using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>How Keycloak's users are compared with the records.</summary>
internal sealed class ReconciliationOptions
{
    public const string Section = "Reconciliation";

    /// <summary>Whether this replica reconciles by schedule; commands work either way.</summary>
    [OfReplica]
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// When each realm is reconciled by counts, in UTC: seconds, minutes, hours, day of month, month, day of week. A server that cannot
    /// count by creation has its whole list read instead.
    /// </summary>
    public string Cron { get; set; } = "0 0/15 * * * ?";

    /// <summary>When all users of each realm are read, in UTC: this finds users that were disabled or deleted without an event.</summary>
    public string CompleteCron { get; set; } = "0 35 3 * * ?";

    /// <summary>What happens about a time that passed while no replica ran.</summary>
    public MisfirePolicy Misfire { get; set; } = MisfirePolicy.DoNothing;

    /// <summary>How many users a created window has, give or take a half, 10 to 10,000.</summary>
    public int WindowUsers { get; set; } = 2_000;

    /// <summary>How many windows are read at the same time, 1 to 16.</summary>
    public int WindowsInFlight { get; set; } = 2;

    /// <summary>The largest share of a realm's users on record, 0 to 1, that a run closes without an operator's permission.</summary>
    public decimal ClosingShare { get; set; } = 0.01m;

    /// <summary>
    /// How many users a page of the listing has, 2 to 20,000. Keycloak sorts the realm for each: few big ones cost least.
    /// </summary>
    public int PageSize { get; set; } = 1_000;

    /// <summary>How many users of a page the next page shows again, which reveals a shift. At most half a page.</summary>
    public int OverlapRows { get; set; } = 50;
}

/// <summary>What happens about a scheduled time that passed while no replica ran.</summary>
internal enum MisfirePolicy
{
    /// <summary>Wait for the next time.</summary>
    DoNothing,

    /// <summary>Reconcile once as soon as a replica runs.</summary>
    FireOnce,
}
