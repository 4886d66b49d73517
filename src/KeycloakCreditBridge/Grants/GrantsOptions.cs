using System.Globalization;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants;

/// <summary>
/// Which grants users get, when granted credits end, and in which order they are spent. With none of it set, an account opens with its
/// tier's credits, which never end.
/// </summary>
internal sealed class GrantsOptions
{
    public const string Section = "Grants";

    /// <summary>How a list of days is split.</summary>
    public const StringSplitOptions Separators = StringSplitOptions.TrimEntries;

    /// <summary>Of the opening grant.</summary>
    public GrantTerms Opening { get; set; } = new();

    /// <summary>Of the grant of each period.</summary>
    public GrantTerms Period { get; set; } = new();

    /// <summary>How often ended credits are searched. What ended is not spendable in between.</summary>
    public TimeSpan SweepEvery { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>When users with an undone task are read, in UTC as Quartz writes it; empty for never.</summary>
    public string TasksCron { get; set; } = "";

    /// <summary>How many of them are read a second, at most.</summary>
    public int TasksPerSecond { get; set; } = 20;

    /// <summary>Days before an end on which the audit log tells of it, such as `7,1`; empty for none.</summary>
    public string NoticeDays { get; set; } = "7,1";

    /// <summary>The same as numbers.</summary>
    public IReadOnlyList<short> NoticeSteps =>
        [.. NoticeDays.Split(',', Separators).Where(day => day.Length > 0).Select(day => short.Parse(day, CultureInfo.InvariantCulture))];

    /// <summary>The welcome credits; null where the opening grant is as `Provisioning` says.</summary>
    [Hot]
    public WelcomeOptions? Welcome { get; set; }

    /// <summary>Secret by which invitations are signed, at least 32 characters; empty where there are none.</summary>
    public string InviteKey { get; set; } = "";

    /// <summary>Credits that users earn once by doing something, by the task's name.</summary>
    [Hot]
    public Dictionary<string, TaskOptions> Tasks { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Comparisons of welcome credits, by name.</summary>
    [Hot]
    public Dictionary<string, ExperimentOptions> Experiments { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Credits for users who bring others, and for those; null for none.</summary>
    [Hot]
    public ReferralOptions? Referrals { get; set; }

    /// <summary>Review of grants of users that look abusive.</summary>
    [Hot]
    public FraudOptions Fraud { get; set; } = new();

    /// <summary>Codes that users redeem for credits.</summary>
    public CodesOptions Codes { get; set; } = new();

    /// <summary>What is different in single realms, by the realm's name.</summary>
    [Hot]
    public Dictionary<string, RealmGrantsOptions> Realms { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Whether a grant gets an end by configuration.</summary>
    public bool HasEnds => Opening.ExpiresAfter is not null || Period.ExpiresAfter is not null
        || Realms.Values.Select(realm => realm.Welcome).Append(Welcome).Any(welcome => welcome?.HasEnds == true)
        || Realms.Values.SelectMany(realm => realm.Tasks ?? []).Concat(Tasks).Any(task => task.Value.ExpiresAfter is not null)
        || Realms.Values.SelectMany(realm => realm.Experiments ?? []).Concat(Experiments)
            .Any(experiment => experiment.Value.Arms.Exists(arm => arm.ExpiresAfter is not null))
        || Realms.Values.Select(realm => realm.Referrals).Append(Referrals).Any(referrals => referrals?.ExpiresAfter is not null);
}

/// <summary>What is stamped on a grant.</summary>
internal sealed class GrantTerms
{
    public const int LowestPriority = 0;
    public const int HighestPriority = 100;

    public static readonly TimeSpan ShortestEnd = TimeSpan.FromHours(1);
    public static readonly TimeSpan LongestEnd = TimeSpan.FromDays(3650);

    /// <summary>How long after the grant unspent credits end; never when absent.</summary>
    public TimeSpan? ExpiresAfter { get; set; }

    /// <summary>0 to 100: credits with a lower one are spent first.</summary>
    public int Priority { get; set; } = Lots.Lot.DefaultPriority;

    /// <summary>Whether the grant differs from a lot without a row of its own.</summary>
    public bool IsStamped => ExpiresAfter is not null || Priority != Lots.Lot.DefaultPriority;
}
