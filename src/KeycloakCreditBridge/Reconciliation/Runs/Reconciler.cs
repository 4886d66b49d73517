using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Telemetry;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>
/// Runs a reconciliation of a realm: takes the lease, chooses the scan, begins or resumes the run, carries it out and records its end.
/// One run a realm at a time, across all processes.
/// </summary>
internal sealed partial class Reconciler(
    ScanChoice scans,
    RunDueCheck due,
    RunSteps steps,
    ReconcileRunStore runs,
    RunNoteStore notes,
    LeaseStore leases,
    ReconciliationMetrics metrics,
    TimeProvider clock,
    ILogger<Reconciler> logger)
{
    /// <summary>How long after its beginning an interrupted run may be resumed.</summary>
    internal static readonly TimeSpan ResumableFor = TimeSpan.FromDays(1);

    private static readonly TimeSpan KeptFor = TimeSpan.FromDays(90);

    /// <summary>Runs to the end, or until it fails or is cancelled. Returns how it ended and never throws for a server's fault.</summary>
    public async Task<ReconcileOutcome> RunAsync(
        RunRequest request, IProgress<ReconcileProgress> progress, CancellationToken cancellationToken)
    {
        using var span = Spans.Start("reconcile realm", ("credits.realm", request.Realm));
        using var trace = UserScope.BeginTrace("reconcile realm");
        var active = new ActiveRun(request, progress, clock);
        try
        {
            await using var lease = await HeldLease.TakeAsync(leases, clock, $"reconcile:{request.Realm}", cancellationToken);
            return lease is null
                ? active.End(ReconcileStatus.AlreadyRunning, await DescribeOtherAsync(request.Realm, cancellationToken))
                : await RunAsync(active, lease, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return active.End(ReconcileStatus.Stopped, "It was stopped before it began.");
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            return active.Fail(exception);
        }
    }

    private async Task<ReconcileOutcome> RunAsync(ActiveRun active, HeldLease lease, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lease.Lost);
        var plan = await scans.ChooseAsync(active.Request, either.Token);
        if (await due.ReasonToSkipAsync(active.Request, plan.Mode, either.Token) is { } reason)
            return active.End(ReconcileStatus.NotDue, reason);
        var now = clock.GetUtcNow();
        if (
            await runs.BeginAsync(
                active.Request, plan.Mode, lease.Owner, now, now - ResumableFor, now - KeptFor, either.Token) is not { } run)
            return active.End(ReconcileStatus.Cancelled, "It was cancelled before it began.");
        active.Begin(run);
        var outcome = await CarryOutAsync(active, plan, lease, either.Token, cancellationToken);
        outcome = outcome with { LeftOut = await EndAsync(active.Run, outcome) };
        metrics.Ended(outcome);
        return outcome;
    }

    private async Task<ReconcileOutcome> CarryOutAsync(
        ActiveRun active, ScanPlan plan, HeldLease lease, CancellationToken either, CancellationToken stopping)
    {
        try
        {
            if (active.Run.IsResumed)
                LogResumed(active.Run.Id, active.Request.Realm, active.Run.Counts.Seen);
            await steps.CarryOutAsync(active, plan, either);
            return active.End(ReconcileStatus.Done);
        }
        catch (RunCancelledException)
        {
            return active.End(ReconcileStatus.Cancelled, "It was cancelled.");
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return active.End(ReconcileStatus.Stopped, "It was stopped; the next run resumes from there.");
        }
        catch (OperationCanceledException) when (lease.Lost.IsCancellationRequested)
        {
            return active.End(ReconcileStatus.Failed, "The lease ran out while PostgreSQL did not answer.");
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            return active.Fail(exception);
        }
    }

    private async Task<long> EndAsync(ReconcileRun run, ReconcileOutcome outcome)
    {
        var leftOut = 0L;
        try
        {
            leftOut = await runs.EndAsync(run, outcome.Status, outcome.Reason, clock.GetUtcNow(), CancellationToken.None);
        }
        catch (NpgsqlException exception)
        {
            // The row stays as running, and the next holder of the lease closes it.
            LogEndNotStored(run.Id, exception.Message.ReplaceLineEndings(" "));
        }

        try
        {
            await notes.PurgeAsync(clock.GetUtcNow() - ResumableFor, CancellationToken.None);
        }
        catch (NpgsqlException exception)
        {
            // They are removed with the next run's.
            LogNotPurged(exception.Message.ReplaceLineEndings(" "));
        }

        return leftOut;
    }

    private async Task<string> DescribeOtherAsync(string realm, CancellationToken cancellationToken)
    {
        if (await runs.RunningAsync(realm, cancellationToken) is not { } other)
            return "Another process reconciles this realm now.";
        var of = other.Expected is { } expected ? $" of {expected}" : "";
        return $"Run {other.Id} ({other.Trigger}) is at work since {other.StartedAt:u}: {other.Seen}{of} users seen.";
    }

    [LoggerMessage(EventId = 500, Level = LogLevel.Information, Message = "Run {Run} of realm {Realm} resumes after {Seen} users.")]
    private partial void LogResumed(long run, string realm, long seen);

    [LoggerMessage(EventId = 501, Level = LogLevel.Warning, Message = "The end of run {Run} could not be stored: {Reason}")]
    private partial void LogEndNotStored(long run, string reason);

    [LoggerMessage(EventId = 502, Level = LogLevel.Warning, Message = "Notes of ended runs about users could not be removed yet: {Reason}")]
    private partial void LogNotPurged(string reason);
}
