namespace KeycloakCreditBridge.Reconciliation;

/// <summary>What a run has counted so far.</summary>
/// <param name="Seen">People that were read.</param>
/// <param name="Missing">Users without a complete record.</param>
/// <param name="Provisioned">Accounts that were opened.</param>
/// <param name="Failed">Users that could not be looked at or written.</param>
/// <param name="Gone">Users on record whom Keycloak did not show.</param>
/// <param name="Closed">Those of them whom Keycloak does not know when asked: settled as deleted.</param>
internal sealed record ReconcileCounts(long Seen = 0, long Missing = 0, long Provisioned = 0, long Failed = 0, long Gone = 0, long Closed = 0)
{
    public static ReconcileCounts operator +(ReconcileCounts left, ReconcileCounts right) => Add(left, right);

    public static ReconcileCounts Add(ReconcileCounts left, ReconcileCounts right) => new(
        left.Seen + right.Seen, left.Missing + right.Missing, left.Provisioned + right.Provisioned, left.Failed + right.Failed,
        left.Gone + right.Gone, left.Closed + right.Closed);

    /// <summary>Counts for a realm that has to be read from its start again: what was provisioned is not missing any more.</summary>
    public ReconcileCounts StartOver(bool dryRun) => dryRun ? new() : this with { Seen = 0, Failed = 0 };
}

/// <summary>How far a run is.</summary>
/// <param name="Expected">How many people the realm had at the start; null when that is not known.</param>
/// <param name="PerSecond">Users seen a second since this process began or continued.</param>
/// <param name="Left">How long the rest will take at this rate; null when that cannot be said.</param>
internal sealed record ReconcileProgress(string Realm, long? Expected, ReconcileCounts Counts, double PerSecond, TimeSpan? Left);

/// <summary>How a run ended.</summary>
internal enum ReconcileStatus
{
    Done,

    /// <summary>It was told to stop; the next run goes on where it stopped.</summary>
    Stopped,

    /// <summary>It could not go on; the next run goes on where it failed.</summary>
    Failed,

    /// <summary>It was given up by an operator; the next run begins anew.</summary>
    Cancelled,

    /// <summary>Another process reconciles this realm now; this one did nothing.</summary>
    AlreadyRunning,
}

/// <summary>What a run came to.</summary>
/// <param name="RunId">Its row in `reconcile_runs`; null when there is none.</param>
/// <param name="Problems">What was wrong with single users, at most <see cref="MaxProblems"/> of them.</param>
/// <param name="Reason">One line on why it did not get to the end; null for a run that did.</param>
/// <param name="Error">What it failed with.</param>
/// <param name="Mode">How the realm was read; null when it was not.</param>
internal sealed record ReconcileOutcome(
    string Realm,
    ReconcileStatus Status,
    long? RunId,
    ReconcileCounts Counts,
    TimeSpan Elapsed,
    IReadOnlyList<string> Problems,
    string? Reason = null,
    Exception? Error = null,
    ReconcileMode? Mode = null)
{
    public const int MaxProblems = 20;

    /// <summary>Whether accounts stayed open because closing them all at once needs an operator's word.</summary>
    public bool NeedsOperator { get; init; }
}
