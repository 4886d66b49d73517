namespace KeycloakCreditBridge.Reconciliation;

/// <summary>What to look for.</summary>
/// <param name="Trigger">Who asked, see <see cref="ReconcileTriggers"/>.</param>
/// <param name="Since">Only users created since; users whose creation Keycloak does not tell are always looked at.</param>
/// <param name="UserIds">Only these users, by id, user name or e-mail address; without it the whole realm is listed.</param>
/// <param name="DryRun">Count what is missing, write nothing but the run itself.</param>
/// <param name="Rejudge">Converge every user seen, and not only those without a complete record.</param>
internal sealed record ReconcileRequest(
    string Realm,
    string Trigger,
    DateTimeOffset? Since = null,
    IReadOnlyList<string>? UserIds = null,
    bool DryRun = false,
    bool Rejudge = false)
{
    /// <summary>How the realm is read. Stored with the run: one run is continued only by another of the same mode.</summary>
    public string Mode => UserIds is null ? "list" : "users";
}

/// <summary>Who asks for a reconciliation.</summary>
internal static class ReconcileTriggers
{
    public const string Schedule = "schedule";

    /// <summary>The realm was never reconciled to the end.</summary>
    public const string First = "first";

    /// <summary>The poller found that events may have been lost.</summary>
    public const string Asked = "asked";

    public const string Command = "command";
}

/// <summary>What a run has counted so far.</summary>
/// <param name="Seen">Users that were read.</param>
/// <param name="Missing">Users without a complete record.</param>
/// <param name="Provisioned">Accounts that were opened.</param>
/// <param name="Failed">Users that could not be looked at or written.</param>
internal sealed record ReconcileCounts(long Seen = 0, long Missing = 0, long Provisioned = 0, long Failed = 0)
{
    public static ReconcileCounts operator +(ReconcileCounts left, ReconcileCounts right) => Add(left, right);

    public static ReconcileCounts Add(ReconcileCounts left, ReconcileCounts right) => new(
        left.Seen + right.Seen, left.Missing + right.Missing, left.Provisioned + right.Provisioned, left.Failed + right.Failed);

    /// <summary>Counts for a listing that has to be read from its start again: what was provisioned is not missing any more.</summary>
    public ReconcileCounts StartOver(bool dryRun) => dryRun ? new() : this with { Seen = 0, Failed = 0 };
}

/// <summary>How far a run is.</summary>
/// <param name="Expected">How many people the realm had at the start; null when that is not known.</param>
internal sealed record ReconcileProgress(string Realm, long? Expected, ReconcileCounts Counts);

/// <summary>How a run ended.</summary>
internal enum ReconcileStatus
{
    Done,

    /// <summary>It was told to stop; the next run goes on where it stopped.</summary>
    Stopped,

    /// <summary>It could not go on; the next run goes on where it failed.</summary>
    Failed,

    /// <summary>Another process reconciles this realm now; this one did nothing.</summary>
    AlreadyRunning,
}

/// <summary>What a run came to.</summary>
/// <param name="RunId">Its row in `reconcile_runs`; null when there is none.</param>
/// <param name="Problems">What was wrong with single users, at most <see cref="MostProblems"/> of them.</param>
/// <param name="Reason">One line on why it did not get to the end; null for a run that did.</param>
/// <param name="Error">What it failed with.</param>
internal sealed record ReconcileOutcome(
    string Realm,
    ReconcileStatus Status,
    long? RunId,
    ReconcileCounts Counts,
    TimeSpan Elapsed,
    IReadOnlyList<string> Problems,
    string? Reason = null,
    Exception? Error = null)
{
    public const int MostProblems = 20;
}
