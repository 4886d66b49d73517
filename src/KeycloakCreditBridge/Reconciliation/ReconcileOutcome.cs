namespace KeycloakCreditBridge.Reconciliation;

/// <summary>What a run has counted so far.</summary>
/// <param name="Seen">Users that were read.</param>
/// <param name="Missing">Users without a complete record.</param>
/// <param name="Provisioned">Accounts that were opened.</param>
/// <param name="Failed">Users that could not be read or written.</param>
/// <param name="NotShown">Users on record that Keycloak did not show.</param>
/// <param name="Closed">Those of them that Keycloak does not know when asked by id: completed as deleted.</param>
internal sealed record ReconcileCounts(
    long Seen = 0, long Missing = 0, long Provisioned = 0, long Failed = 0, long NotShown = 0, long Closed = 0)
{
    /// <summary>Users that a dry run found to get no account, because the account of their id belongs to another user.</summary>
    public long LeftOut { get; init; }

    public static ReconcileCounts operator +(ReconcileCounts left, ReconcileCounts right) => Add(left, right);

    public static ReconcileCounts Add(ReconcileCounts left, ReconcileCounts right) => new(
        left.Seen + right.Seen, left.Missing + right.Missing, left.Provisioned + right.Provisioned, left.Failed + right.Failed,
        left.NotShown + right.NotShown, left.Closed + right.Closed)
    {
        LeftOut = left.LeftOut + right.LeftOut,
    };

    /// <summary>Counts for a realm that is read again from its start: a provisioned user is no longer missing.</summary>
    public ReconcileCounts StartOver(bool dryRun) => dryRun ? new() : this with { Seen = 0, Failed = 0 };
}

/// <summary>How far a run is.</summary>
/// <param name="Expected">How many users the realm had at the start; null when that is not known.</param>
/// <param name="PerSecond">Users seen a second since this process began or resumed the run.</param>
/// <param name="Left">How long the rest will take at this rate; null when that is not known.</param>
internal sealed record ReconcileProgress(string Realm, long? Expected, ReconcileCounts Counts, double PerSecond, TimeSpan? Left);

/// <summary>How a run ended.</summary>
internal enum ReconcileStatus
{
    Done,

    /// <summary>It was told to stop; the next run resumes where it stopped.</summary>
    Stopped,

    /// <summary>It failed; the next run resumes where it failed.</summary>
    Failed,

    /// <summary>An operator cancelled it; the next run begins anew.</summary>
    Cancelled,

    /// <summary>Another process reconciles this realm now; this one did nothing.</summary>
    AlreadyRunning,

    /// <summary>The realm need not be read now; nothing was done.</summary>
    NotDue,
}

/// <summary>The result of a run.</summary>
/// <param name="RunId">Its row in `reconcile_runs`; null when there is none.</param>
/// <param name="Problems">What was wrong with single users, at most <see cref="MaxProblems"/> of them.</param>
/// <param name="Reason">One line on why it did not reach its end; null for a run that did.</param>
/// <param name="Error">The exception that ended it.</param>
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

    /// <summary>Whether accounts stayed open because closing so many needs an operator's permission.</summary>
    public bool NeedsOperator { get; init; }

    /// <summary>Users of the realm that have no account, because the account of their id belongs to another user.</summary>
    public long LeftOut { get; init; }
}
