namespace KeycloakCreditBridge.Grants.Policy.Settings;

/// <summary>Credits for both accounts where a user brought another one.</summary>
internal sealed class ReferralOptions
{
    /// <summary>What the referrer gets, at most six decimals.</summary>
    public decimal? ReferrerCredits { get; set; }

    /// <summary>What the referee gets, at most six decimals.</summary>
    public decimal? RefereeCredits { get; set; }

    /// <summary>Besides a verified address, one of these must be met.</summary>
    public ReferralQualifyOptions Qualify { get; set; } = new();

    /// <summary>How long after the code was given the referee can qualify.</summary>
    public TimeSpan Within { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long what qualified must stand before it is paid.</summary>
    public TimeSpan Settle { get; set; } = TimeSpan.FromDays(7);

    /// <summary>The most referrals that one account is paid for.</summary>
    public int MostPerReferrer { get; set; } = 10;

    /// <summary>The most of them within 30 days.</summary>
    public int MostIn30Days { get; set; } = 5;

    /// <summary>The most that referrers of a realm get. Once used up, referees are still paid.</summary>
    public RuleBudgetOptions? Budget { get; set; }

    /// <summary>How long the credits can be used; null without an end.</summary>
    public TimeSpan? ExpiresAfter { get; set; }
}

/// <summary>What shows that a referee came to stay: one of these is enough.</summary>
internal sealed class ReferralQualifyOptions
{
    /// <summary>Credits that gateways and services charged, less what was refunded; 0 to leave this out.</summary>
    public decimal Spent { get; set; } = 1m;

    /// <summary>The name of a task that was paid.</summary>
    public string Task { get; set; } = "";

    /// <summary>Credits were bought.</summary>
    public bool Purchase { get; set; }
}
