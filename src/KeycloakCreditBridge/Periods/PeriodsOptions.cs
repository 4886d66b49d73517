namespace KeycloakCreditBridge.Periods;

/// <summary>What becomes of accounts whose period ends. How long a period lasts is an option of provisioning.</summary>
internal sealed class PeriodsOptions
{
    public const string Section = "Periods";

    /// <summary>Whether accounts get their tier's credits again; the same in all replicas, as they share the schedule.</summary>
    public bool Enabled { get; set; }

    /// <summary>When ended periods are looked for, in UTC: seconds, minutes, hours, day of month, month, day of week.</summary>
    public string Cron { get; set; } = "0 10 * * * ?";

    /// <summary>What becomes of credits that are left. A debt is always carried.</summary>
    public Leftover Leftover { get; set; }

    /// <summary>Most credits that are carried into the next period; all of them when absent.</summary>
    public decimal? MaxRollover { get; set; }

    /// <summary>The same for single tiers, by name.</summary>
    public Dictionary<string, decimal> MaxRolloverByTier { get; set; } = new(StringComparer.Ordinal);
}

/// <summary>What becomes of the credits that are left when a period ends.</summary>
internal enum Leftover
{
    /// <summary>A row of the ledger takes them.</summary>
    Forfeit,

    /// <summary>They stay, up to the cap.</summary>
    Carry,
}
