namespace KeycloakCreditBridge.Grants.Policy.Settings;

/// <summary>Policies of one realm.</summary>
internal sealed class RealmGrantsOptions
{
    /// <summary>Replaces the common welcome as a whole.</summary>
    public WelcomeOptions? Welcome { get; set; }

    /// <summary>Replaces the common tasks as a whole.</summary>
    public Dictionary<string, TaskOptions>? Tasks { get; set; }

    /// <summary>Replaces the common experiments as a whole.</summary>
    public Dictionary<string, ExperimentOptions>? Experiments { get; set; }

    /// <summary>Replaces the common referrals as a whole.</summary>
    public ReferralOptions? Referrals { get; set; }

    /// <summary>Replaces the common review as a whole, without its key and its list of domains.</summary>
    public RealmFraudOptions? Fraud { get; set; }
}

/// <summary>What a new user gets at once, and what follows when requirements are met.</summary>
internal sealed class WelcomeOptions
{
    /// <summary>All welcome credits, at most six decimals; null for those of the opening tier or `Provisioning:Amount`.</summary>
    public decimal? Credits { get; set; }

    /// <summary>The part that the account opens with; the rest waits for <see cref="Requires"/>.</summary>
    public decimal Before { get; set; }

    /// <summary>What must be true before the rest is paid, by name; see <see cref="Requirements"/>.</summary>
    public List<string> Requires { get; set; } = [];

    /// <summary>
    /// How long after the user's creation the rules are asked, so that an attribution or a group of the first moments counts.
    /// </summary>
    public TimeSpan DecideAfter { get; set; }

    /// <summary>How long welcome credits can be used; null for that of the opening grant, `Grants:Opening`.</summary>
    public TimeSpan? ExpiresAfter { get; set; }

    /// <summary>Other welcome credits for users who came from somewhere; the first rule that matches decides.</summary>
    public List<WelcomeRuleOptions> Rules { get; set; } = [];

    /// <summary>How long after the user's creation the requirements can be met; null without an end.</summary>
    public TimeSpan? VerifyWithin { get; set; }

    /// <summary>Whether a grant of it gets an end.</summary>
    public bool HasEnds => ExpiresAfter is not null || Rules.Exists(rule => rule.ExpiresAfter is not null);
}
