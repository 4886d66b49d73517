using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Periods;

/// <summary>What happens to accounts whose period ends. The length of a period is an option of provisioning.</summary>
internal sealed class PeriodsOptions
{
    public const string Section = "Periods";

    /// <summary>
    /// Whether accounts are granted their tier's credits each period. All replicas need the same value, as they share the schedule.
    /// </summary>
    public bool Enabled { get; set; }

    /// <summary>When ended periods are searched, in UTC: seconds, minutes, hours, day of month, month, day of week.</summary>
    public string Cron { get; set; } = "0 10 * * * ?";

    /// <summary>Whether remaining credits roll over into the next period; otherwise they are forfeited. A debt always stays.</summary>
    [Hot]
    public bool Rollover { get; set; }

    /// <summary>What becomes of bought credits when the rest is forfeited.</summary>
    [Hot]
    public BoughtCredits Bought { get; set; } = BoughtCredits.Keep;

    /// <summary>Most credits that roll over into the next period; all of them when absent.</summary>
    [Hot]
    public decimal? MaxRollover { get; set; }

    /// <summary>The same for single tiers, by name.</summary>
    [Hot]
    public Dictionary<string, decimal> MaxRolloverByTier { get; set; } = new(StringComparer.Ordinal);
}

/// <summary>What becomes of bought credits when a period ends.</summary>
internal enum BoughtCredits
{
    /// <summary>They stay, with their own ends if they have any.</summary>
    Keep,

    /// <summary>They are treated like all others.</summary>
    Forfeit,
}
