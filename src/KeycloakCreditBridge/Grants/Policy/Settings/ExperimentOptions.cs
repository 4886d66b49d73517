namespace KeycloakCreditBridge.Grants.Policy.Settings;

/// <summary>A comparison of welcome credits: new users are divided by chance into arms, each with an amount of its own.</summary>
internal sealed class ExperimentOptions
{
    /// <summary>What is hashed with the user's id; the experiment's key when empty.</summary>
    public string Seed { get; set; } = "";

    /// <summary>A change of what is frozen needs the next one. It takes new users only.</summary>
    public int Version { get; set; } = 1;

    /// <summary>Users that were created in Keycloak before it are in no arm. UTC without an offset.</summary>
    public string From { get; set; } = "";

    /// <summary>Users that were created from then on get what `control` gives; empty without an end.</summary>
    public string Until { get; set; } = "";

    /// <summary>The part of the users that is in the experiment: more than 0, at most 1.</summary>
    public decimal Coverage { get; set; } = 1m;

    /// <summary>Two to ten arms, the first one named `control`.</summary>
    public List<ArmOptions> Arms { get; set; } = [];

    /// <summary>Only users that meet these conditions; null for all.</summary>
    public RuleWhenOptions? When { get; set; }

    /// <summary>Addresses that are in no arm; with `@` at the begin a whole domain.</summary>
    public List<string> Exclude { get; set; } = [];

    /// <summary>What is compared, see <see cref="ExperimentMetrics"/>.</summary>
    public string Metric { get; set; } = ExperimentMetrics.Spent;

    /// <summary>Users of each arm after which the result is final.</summary>
    public int Planned { get; set; }

    /// <summary>The arm that all new users get from now on; none when empty.</summary>
    public string Winner { get; set; } = "";
}

/// <summary>What a part of the users gets.</summary>
internal sealed class ArmOptions
{
    public string Name { get; set; } = "";

    /// <summary>The arm's part of the users in the experiment. All together are 1.</summary>
    public decimal? Weight { get; set; }

    /// <summary>All welcome credits, at most six decimals.</summary>
    public decimal? Credits { get; set; }

    /// <summary>How long the credits can be used; null for the welcome's own.</summary>
    public TimeSpan? ExpiresAfter { get; set; }
}

/// <summary>What experiments compare: the share of users that did it within a time after they were assigned.</summary>
internal static class ExperimentMetrics
{
    public const string Spent = "spent_within_14d";
    public const string Purchased = "purchased_within_30d";
    public const string Active = "active_within_7d";

    public static readonly IReadOnlyList<string> Known = [Spent, Purchased, Active];

    /// <summary>The time within which it counts.</summary>
    public static TimeSpan WindowOf(string metric) => metric switch
    {
        Spent => TimeSpan.FromDays(14),
        Purchased => TimeSpan.FromDays(30),
        Active => TimeSpan.FromDays(7),
        _ => throw new ArgumentOutOfRangeException(nameof(metric), metric, "No such metric."),
    };
}
