namespace KeycloakCreditBridge.Reconciliation;

/// <summary>What to look for.</summary>
/// <param name="Trigger">Who asked, see <see cref="RunTriggers"/>.</param>
/// <param name="Since">Only users created since; users whose creation Keycloak does not tell are always looked at.</param>
/// <param name="UserIds">Only these users, by id, user name or e-mail address; without it the whole realm is read.</param>
/// <param name="DryRun">Count what is missing, write nothing but the run itself.</param>
/// <param name="Rejudge">Converge every user seen, and not only those without a complete record.</param>
/// <param name="Mode">How the realm is read.</param>
/// <param name="AllowClosing">How many accounts may be closed, if that is more than the configured share.</param>
/// <param name="WaitingRun">The run that was announced for this; null when none was.</param>
internal sealed record RunRequest(
    string Realm,
    string Trigger,
    DateTimeOffset? Since = null,
    IReadOnlyList<string>? UserIds = null,
    bool DryRun = false,
    bool Rejudge = false,
    ReconcileMode Mode = ReconcileMode.Auto,
    int? AllowClosing = null,
    long? WaitingRun = null);

/// <summary>How a realm is read.</summary>
internal enum ReconcileMode
{
    /// <summary>Completely, in the cheapest way that the server allows.</summary>
    Auto,

    /// <summary>By counts where they say something, otherwise as <see cref="Auto"/>.</summary>
    Quick,

    /// <summary>Only users whose window of creation counts more or fewer users than are on record.</summary>
    Counts,

    /// <summary>By windows of creation, and then whom they do not show.</summary>
    Windows,

    /// <summary>Page by page, by user name.</summary>
    List,

    /// <summary>From Keycloak's database.</summary>
    Database,

    /// <summary>Named users only.</summary>
    Users,
}

/// <summary>Who asks for a reconciliation.</summary>
internal static class RunTriggers
{
    /// <summary>By counts, every few minutes.</summary>
    public const string Schedule = "schedule";

    /// <summary>Completely, once a day.</summary>
    public const string Daily = "daily";

    /// <summary>The realm was never reconciled to the end.</summary>
    public const string First = "first";

    /// <summary>The poller found that events may have been lost.</summary>
    public const string Asked = "asked";

    public const string Command = "command";

    public const string Http = "http";
}
