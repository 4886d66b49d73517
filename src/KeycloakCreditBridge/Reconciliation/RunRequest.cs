namespace KeycloakCreditBridge.Reconciliation;

/// <summary>What a run is asked to do.</summary>
/// <param name="Trigger">What asked for it, see <see cref="RunTriggers"/>.</param>
/// <param name="Since">Only users created since; users without a creation time are always read.</param>
/// <param name="UserIds">Only these users, by id, user name or e-mail address; without it the whole realm is read.</param>
/// <param name="DryRun">Count what is missing, and write nothing but the run itself.</param>
/// <param name="ReEvaluate">Converge every user seen, and not only those without a complete record.</param>
/// <param name="Mode">How the realm is read.</param>
/// <param name="AllowClosing">How many accounts may be closed, if that is more than the configured share.</param>
/// <param name="WaitingRun">The waiting row in `reconcile_runs` that this carries out; null when there is none.</param>
internal sealed record RunRequest(
    string Realm,
    string Trigger,
    DateTimeOffset? Since = null,
    IReadOnlyList<string>? UserIds = null,
    bool DryRun = false,
    bool ReEvaluate = false,
    ReconcileMode Mode = ReconcileMode.Auto,
    int? AllowClosing = null,
    long? WaitingRun = null);

/// <summary>How a realm is read.</summary>
internal enum ReconcileMode
{
    /// <summary>Completely, in the cheapest way that the server allows.</summary>
    Auto,

    /// <summary>By counts where they are conclusive, otherwise as <see cref="Auto"/>.</summary>
    Quick,

    /// <summary>Only users whose created window counts more or fewer users than are on record.</summary>
    Counts,

    /// <summary>By created windows, and then the users that no window shows.</summary>
    Windows,

    /// <summary>Page by page, by user name.</summary>
    List,

    /// <summary>From Keycloak's database.</summary>
    Database,

    /// <summary>Named users only.</summary>
    Users,
}

internal static class ReconcileModes
{
    /// <summary>As `reconcile_runs.mode` and the command line spell it.</summary>
    public static string Text(this ReconcileMode mode) => mode.ToString().ToLowerInvariant();
}

/// <summary>What asks for a run.</summary>
internal static class RunTriggers
{
    /// <summary>By counts, every few minutes.</summary>
    public const string Schedule = "schedule";

    /// <summary>Completely, once a day.</summary>
    public const string Daily = "daily";

    /// <summary>The realm was never read completely.</summary>
    public const string First = "first";

    /// <summary>The intake: events may be lost, or a change in the realm has no events of its own.</summary>
    public const string Asked = "asked";

    public const string Command = "command";

    public const string Http = "http";
}
