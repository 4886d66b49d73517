using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Reconciliation.Review;
using KeycloakCreditBridge.Reconciliation.Scans;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>
/// Compares a realm's users with the known ones and opens what is missing. One run a realm at a time, whoever starts it and wherever; a
/// run that was interrupted is continued by the next of the same request.
/// </summary>
internal sealed partial class Reconciler(
    KeycloakClient client,
    ScanChoice scans,
    UserReview review,
    AccountCloser closing,
    SingleUserReview namedUsers,
    ReconcileRunStore runs,
    RunNoteStore notes,
    LeaseStore leases,
    ReconciliationMetrics metrics,
    TimeProvider clock,
    ILogger<Reconciler> logger)
{
    /// <summary>How long after its beginning an interrupted run is worth going on with.</summary>
    internal static readonly TimeSpan ContinuedFor = TimeSpan.FromDays(1);

    private static readonly TimeSpan RememberedFor = TimeSpan.FromDays(90);

    /// <summary>Runs to the end, or until it fails or is cancelled. Says how it ended and never throws for a server's fault.</summary>
    public async Task<ReconcileOutcome> RunAsync(
        RunRequest request, IProgress<ReconcileProgress> progress, CancellationToken cancellationToken)
    {
        var work = new ActiveRun(request, progress, clock, clock.GetTimestamp());
        try
        {
            await using var lease = await HeldLease.TakeAsync(leases, clock, $"reconcile:{request.Realm}", cancellationToken);
            if (lease is null)
                return Outcome(work, ReconcileStatus.AlreadyRunning, await DescribeOtherAsync(request.Realm, cancellationToken));
            return await RunAsync(work, lease, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return Outcome(work, ReconcileStatus.Stopped, "It was stopped before it began.");
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            return Outcome(work, ReconcileStatus.Failed, Line(exception), exception);
        }
    }

    private async Task<ReconcileOutcome> RunAsync(ActiveRun work, HeldLease lease, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lease.Lost);
        var (mode, unchosen) = await ChooseAsync(work.Request, either.Token);
        var now = clock.GetUtcNow();
        if (await runs.BeginAsync(work.Request, mode, lease.Owner, now, now - ContinuedFor, now - RememberedFor, either.Token) is not { } run)
            return Outcome(work, ReconcileStatus.Cancelled, "It was cancelled before it began.");
        work.Begin(run);
        ReconcileOutcome outcome;
        try
        {
            if (unchosen is not null)
                throw unchosen;
            if (work.Request.UserIds is { } users)
                await ReviewNamedAsync(work, users, either.Token);
            else
                await ReviewRealmAsync(work, scans.ScanFor(mode), either.Token);
            outcome = Outcome(work, ReconcileStatus.Done);
        }
        catch (RunCancelledException)
        {
            outcome = Outcome(work, ReconcileStatus.Cancelled, "It was cancelled.");
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            outcome = Outcome(work, ReconcileStatus.Stopped, "It was stopped; the next run goes on from there.");
        }
        catch (OperationCanceledException) when (lease.Lost.IsCancellationRequested)
        {
            outcome = Outcome(work, ReconcileStatus.Failed, "The lease ran out while PostgreSQL did not answer.");
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            outcome = Outcome(work, ReconcileStatus.Failed, Line(exception), exception);
        }

        await EndAsync(work.Run!, outcome);
        metrics.Ended(outcome);
        return outcome;
    }

    // A run that cannot begin is on record too, with the reason.
    private async Task<(ReconcileMode Mode, KeycloakException? Unchosen)> ChooseAsync(RunRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return (await scans.ChooseAsync(request, cancellationToken), null);
        }
        catch (KeycloakException exception)
        {
            return (request.Mode, exception);
        }
    }

    private async Task ReviewRealmAsync(ActiveRun work, IScan scan, CancellationToken cancellationToken)
    {
        var request = work.Request;
        // Counts read next to nobody: how many there are says nothing of how far they are. Keycloak's database tells while it is read.
        if (work.Run!.Mode is not (ReconcileMode.Counts or ReconcileMode.Database))
            work.Expected = await client.CountUsersAsync(request.Realm, cancellationToken);
        if (work.Run.IsContinued)
            LogContinued(work.Run.Id, request.Realm, work.Run.Counts.Seen);
        work.Report();
        Queue<(ScannedPart Part, Task<ReviewResult> Review)> inFlight = [];
        try
        {
            await foreach (var part in scan.ReadAsync(work.Run, request, cancellationToken))
            {
                KillPoint.Reach(KillPoint.Read);
                // A part that was read is finished even if the run is told to stop: its counts and its accounts belong together.
                inFlight.Enqueue((part, review.ReviewAsync(request, part.Users, part.ReadAt, CancellationToken.None)));
                if (inFlight.Count >= scan.MaxConcurrentReviews)
                    await FinishAsync(work, inFlight);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            while (inFlight.Count > 0)
                await FinishAsync(work, inFlight);
        }

        KillPoint.Reach(KillPoint.Scanned);
        await CloseAsync(work, cancellationToken);
    }

    // In the order in which parts were read: a run goes on at the first that failed, so nothing behind it counts as reached.
    private async Task FinishAsync(ActiveRun work, Queue<(ScannedPart Part, Task<ReviewResult> Review)> inFlight)
    {
        var (part, review) = inFlight.Dequeue();
        try
        {
            await FinishAsync(work, part, await review);
        }
        catch (Exception exception) when (exception is not RunCancelledException)
        {
            await Task.WhenAll(inFlight.Select(Task (next) => next.Review)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            inFlight.Clear();
            throw;
        }
    }

    private async Task FinishAsync(ActiveRun work, ScannedPart part, ReviewResult result)
    {
        KillPoint.Reach(KillPoint.Reviewed);
        if (part.StartedOver)
            work.StartOver();
        work.Run = work.Run! with { Reached = part.Reached };
        work.Expected = part.Expected ?? work.Expected;
        await SaveAsync(work, result + new ReviewResult(new ReconcileCounts(Seen: part.Unchanged, Failed: part.Problems.Count), part.Problems));
        KillPoint.Reach(KillPoint.Saved);
    }

    private async Task CloseAsync(ActiveRun work, CancellationToken cancellationToken)
    {
        (var gone, work.Question) = await closing.CheckShareAsync(work.Run!, work.Request, cancellationToken);
        work.Run = work.Run! with { Counts = work.Run.Counts with { Gone = gone + work.Run.Counts.Closed } };
        await SaveAsync(work, ReviewResult.Empty);
        if (work.Question is not null)
            await runs.KeepUnexplainedAsync(work.Run, cancellationToken);
        while (work.Question is null && !work.Request.DryRun && await closing.CloseNextAsync(work.Run, work.Request, cancellationToken) is { } closed)
            await SaveAsync(work, closed);
    }

    private async Task ReviewNamedAsync(ActiveRun work, IReadOnlyList<string> users, CancellationToken cancellationToken)
    {
        work.Expected = users.Count;
        foreach (var named in users)
        {
            var result = await namedUsers.ReviewAsync(work.Request, named, cancellationToken);
            await SaveAsync(work, result);
        }
    }

    private async Task SaveAsync(ActiveRun work, ReviewResult result)
    {
        work.Run = work.Run! with { Counts = work.Run.Counts + result.Counts };
        work.Problems.AddRange(result.Problems.Take(ReconcileOutcome.MaxProblems - work.Problems.Count));
        var isCancelled = await runs.SaveAsync(work.Run, work.CurrentProgress(), clock.GetUtcNow(), CancellationToken.None)
            ?? throw new InvalidOperationException("Another process has taken the run over.");
        metrics.Reviewed(work.Request, result.Counts);
        work.Report();
        if (isCancelled)
            throw new RunCancelledException();
    }

    private async Task EndAsync(ReconcileRun run, ReconcileOutcome outcome)
    {
        try
        {
            await runs.EndAsync(run, outcome.Status, outcome.Reason, clock.GetUtcNow(), CancellationToken.None);
        }
        catch (NpgsqlException exception)
        {
            // The row stays as running, and the next holder of the lease closes it.
            LogEndNotStored(run.Id, Line(exception));
        }

        try
        {
            await notes.PurgeAsync(clock.GetUtcNow() - ContinuedFor, CancellationToken.None);
        }
        catch (NpgsqlException exception)
        {
            // They are removed with the next run's.
            LogNotForgotten(Line(exception));
        }
    }

    private async Task<string> DescribeOtherAsync(string realm, CancellationToken cancellationToken)
    {
        if (await runs.RunningAsync(realm, cancellationToken) is not { } other)
            return "Another process reconciles this realm now.";
        var of = other.Expected is { } expected ? $" of {expected}" : "";
        return $"Run {other.Id} ({other.Trigger}) is at work since {other.StartedAt:u}: {other.Seen}{of} users seen.";
    }

    private ReconcileOutcome Outcome(ActiveRun work, ReconcileStatus status, string? reason = null, Exception? error = null) => new(
        work.Request.Realm, status, work.Run?.Id, work.Run?.Counts ?? new ReconcileCounts(), clock.GetElapsedTime(work.StartedAt),
        work.Question is null ? work.Problems : [work.Question, .. work.Problems], reason, error, work.Run?.Mode)
    {
        NeedsOperator = work.Question is not null,
    };

    private static string Line(Exception exception) => exception.Message.ReplaceLineEndings(" ");

    private sealed class RunCancelledException : Exception;

    [LoggerMessage(EventId = 500, Level = LogLevel.Information, Message = "Continuing run {Run} of realm {Realm} behind {Seen} users.")]
    private partial void LogContinued(long run, string realm, long seen);

    [LoggerMessage(EventId = 501, Level = LogLevel.Warning, Message = "The end of run {Run} could not be stored: {Reason}")]
    private partial void LogEndNotStored(long run, string reason);

    [LoggerMessage(EventId = 502, Level = LogLevel.Warning, Message = "What ended runs noted of users could not be removed yet: {Reason}")]
    private partial void LogNotForgotten(string reason);
}
