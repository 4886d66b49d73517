namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>A run in this process: its request, how far it is, and what it reports.</summary>
internal sealed class ActiveRun(RunRequest request, IProgress<ReconcileProgress> progress, TimeProvider clock)
{
    private readonly long _startedAt = clock.GetTimestamp();
    private long? _seenBefore;
    private ReconcileRun? _run;

    public RunRequest Request => request;

    /// <summary>Its row in `reconcile_runs`; there is none before <see cref="Begin"/>.</summary>
    public ReconcileRun Run
    {
        get => _run ?? throw new InvalidOperationException("The run has not begun.");
        set => _run = value;
    }

    public long? Expected { get; set; }

    /// <summary>What an operator has to decide.</summary>
    public string? Question { get; set; }

    public List<string> Problems { get; } = [];

    /// <summary>Begins a run. One that resumes at its start counts anew.</summary>
    public void Begin(ReconcileRun run)
    {
        Run = run;
        if (!run.IsResumed)
            StartOver();
    }

    /// <summary>The whole realm is read again.</summary>
    public void StartOver()
    {
        // The users read until now were read in this time too.
        _seenBefore -= Run.Counts.Seen;
        Run = Run with { Counts = Run.Counts.StartOver(request.DryRun) };
    }

    public void Report() => progress.Report(CurrentProgress());

    public ReconcileProgress CurrentProgress()
    {
        var counts = Run.Counts;
        _seenBefore ??= counts.Seen;
        var perSecond = (counts.Seen - _seenBefore.Value) / Math.Max(0.001, clock.GetElapsedTime(_startedAt).TotalSeconds);
        TimeSpan? left = Expected is { } expected && perSecond >= 1
            ? TimeSpan.FromSeconds(Math.Max(0, expected - counts.Seen) / perSecond)
            : null;
        return new ReconcileProgress(request.Realm, Expected, counts, perSecond, left);
    }

    public ReconcileOutcome End(ReconcileStatus status, string? reason = null, Exception? error = null) => new(
        request.Realm, status, _run?.Id, _run?.Counts ?? new ReconcileCounts(), clock.GetElapsedTime(_startedAt),
        Question is null ? Problems : [Question, .. Problems], reason, error, _run?.Mode)
    {
        NeedsOperator = Question is not null,
    };

    public ReconcileOutcome Fail(Exception exception) => End(ReconcileStatus.Failed, exception.Message.ReplaceLineEndings(" "), exception);
}
