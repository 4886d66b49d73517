namespace KeycloakCreditBridge.Reconciliation;

/// <summary>How Keycloak's users are compared with the known ones.</summary>
internal sealed class ReconciliationOptions
{
    public const string Section = "Reconciliation";

    /// <summary>Whether this replica reconciles by schedule; commands work all the same.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// When each realm is reconciled by counts, in UTC: seconds, minutes, hours, day of month, month, day of week. A server that cannot count
    /// by creation has its whole list read instead.
    /// </summary>
    public string Cron { get; set; } = "0 0/15 * * * ?";

    /// <summary>When all users of each realm are read, in UTC: who was disabled or deleted without an event is found then.</summary>
    public string CompleteCron { get; set; } = "0 35 3 * * ?";

    /// <summary>What becomes of a time that passed while no replica ran.</summary>
    public MisfirePolicy Misfire { get; set; } = MisfirePolicy.DoNothing;

    /// <summary>How many users a window of creation has, give or take a half, 10 to 10,000.</summary>
    public int WindowUsers { get; set; } = 2_000;

    /// <summary>How many windows are asked for at once, 1 to 16.</summary>
    public int WindowsInFlight { get; set; } = 2;

    /// <summary>The largest part of a realm's users on record, 0 to 1, that is closed unasked when a complete reading does not show them.</summary>
    public decimal ClosingShare { get; set; } = 0.01m;

    /// <summary>How many users a page of the listing has, 2 to 20,000. Keycloak sorts the realm for each: few big ones cost least.</summary>
    public int PageSize { get; set; } = 1_000;

    /// <summary>How many users of a page are read again with the next, by which a shift is noticed. At most half a page.</summary>
    public int OverlapRows { get; set; } = 50;
}

/// <summary>What becomes of a scheduled time that passed while no replica ran.</summary>
internal enum MisfirePolicy
{
    /// <summary>Wait for the next time.</summary>
    DoNothing,

    /// <summary>Reconcile once as soon as a replica runs.</summary>
    FireOnce,
}
