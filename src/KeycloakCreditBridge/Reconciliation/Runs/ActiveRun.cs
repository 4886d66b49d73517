namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>A run in this process: what it was asked for, how far it is, and what it tells of that.</summary>
internal sealed class ActiveRun(RunRequest request, IProgress<ReconcileProgress> progress, TimeProvider clock, long startedAt)
{
    private long? _seenBefore;

    public RunRequest Request => request;

    public long StartedAt => startedAt;

    public ReconcileRun? Run { get; set; }

    public long? Expected { get; set; }

    /// <summary>What an operator has to decide.</summary>
    public string? Question { get; set; }

    public List<string> Problems { get; } = [];

    /// <summary>Begins a run. One that goes on at its start counts anew.</summary>
    public void Begin(ReconcileRun run)
    {
        Run = run;
        if (!run.IsContinued)
            StartOver();
    }

    /// <summary>All of the realm is read again.</summary>
    public void StartOver()
    {
        // Those who were read until now were read in this time too.
        _seenBefore -= Run!.Counts.Seen;
        Run = Run with { Counts = Run.Counts.StartOver(request.DryRun) };
    }

    /// <summary>Tells whoever asked for the run how far it is.</summary>
    public void Report() => progress.Report(CurrentProgress());

    /// <summary>How far the run is.</summary>
    public ReconcileProgress CurrentProgress()
    {
        var counts = Run!.Counts;
        _seenBefore ??= counts.Seen;
        var perSecond = (counts.Seen - _seenBefore.Value) / Math.Max(0.001, clock.GetElapsedTime(startedAt).TotalSeconds);
        TimeSpan? left = Expected is { } expected && perSecond >= 1
            ? TimeSpan.FromSeconds(Math.Max(0, expected - counts.Seen) / perSecond)
            : null;
        return new ReconcileProgress(request.Realm, Expected, counts, perSecond, left);
    }
}
