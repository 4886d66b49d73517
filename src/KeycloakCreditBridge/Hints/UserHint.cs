namespace KeycloakCreditBridge.Hints;

/// <summary>What a hint says about a user.</summary>
internal enum HintKind
{
    /// <summary>The user was created or changed, and is always evaluated.</summary>
    Changed,

    /// <summary>The user was deleted according to the event. Keycloak is asked all the same.</summary>
    Deleted,

    /// <summary>The user was seen, at a login for example, and is evaluated only if unknown, or not evaluated for a day.</summary>
    Seen,
}

/// <summary>This user may have changed.</summary>
/// <param name="Realm">Name of the realm.</param>
/// <param name="UserId">Keycloak's id of the user, opaque text of at most 255 characters.</param>
/// <param name="Kind">What the hint says.</param>
/// <param name="Cause">What happened, in Keycloak's words: `REGISTER`, `USER-CREATE`.</param>
/// <param name="Source">Where it comes from: see <see cref="HintSources"/>.</param>
internal sealed record UserHint(string Realm, string UserId, HintKind Kind, string Cause, string Source)
{
    /// <summary>The trace that it came in with, as W3C's `traceparent`; null where none is recorded.</summary>
    public string? Traceparent { get; init; }
}

/// <summary>Where evaluations of users come from; written to accounts and ledger as their source.</summary>
internal static class HintSources
{
    public const string Webhook = "webhook";
    public const string Poll = "poll";
    public const string Broker = "broker";
    public const string Reconciliation = "reconciliation";
    public const string Backfill = "backfill";

    /// <summary>A gateway asked for, or reported usage of, a user without account.</summary>
    public const string Gateway = "gateway";

    /// <summary>A time came that a grant waits for.</summary>
    public const string Schedule = "schedule";

    /// <summary>The user's balance was read before any event of the user came.</summary>
    public const string FirstRead = "first-read";
}

/// <summary>Causes that the bridge itself names.</summary>
internal static class HintCauses
{
    /// <summary>
    /// An account was opened at a first read. The user was seen or bears a token, so that a 404 means deleted, not yet to come.
    /// </summary>
    public const string FirstRead = "FIRST_READ";

    /// <summary>The grants of a user were read, and one of them is due.</summary>
    public const string GrantsRead = "GRANTS_READ";

    /// <summary>A time came at which grants of the user are evaluated again.</summary>
    public const string Scheduled = "SCHEDULED";

    /// <summary>A change was reported after a deletion: a 404 means deleted, and a user that Keycloak has is evaluated at once.</summary>
    public const string ReportedDeleted = "REPORTED_DELETED";

    /// <summary>A partial import put the user in the place of another one of the same name.</summary>
    public const string Overwritten = "REALM-UPDATE";
}

/// <summary>A hint in the hands of one worker until its lease ends.</summary>
/// <param name="Version">Fences the completion: renewed by every new hint and every claim.</param>
/// <param name="Attempts">How often the hint was claimed since it last came, this claim included.</param>
/// <param name="Traceparent">The trace that it last came in with; null where none is recorded.</param>
internal sealed record ClaimedHint(
    string Realm, string KeycloakId, long Version, string Source, string Cause, HintKind Kind, DateTimeOffset HintedAt, int Attempts,
    string? Traceparent = null)
{
    /// <summary>The version of a hint that is in no table.</summary>
    public const long NotStored = 0;

    /// <summary>A hint that is evaluated before it is stored.</summary>
    public static ClaimedHint Of(UserHint hint, DateTimeOffset now) =>
        new(hint.Realm, hint.UserId, NotStored, hint.Source, hint.Cause, hint.Kind, now, Attempts: 1, hint.Traceparent);
}

/// <summary>A hint to be attempted again later, or never again.</summary>
internal sealed record PostponedHint(ClaimedHint Hint, DateTimeOffset DueAt, int Attempts, bool Dead, string Error);
