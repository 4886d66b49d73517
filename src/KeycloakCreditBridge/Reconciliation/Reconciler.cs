using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>
/// Compares a realm's users with the known ones and opens what is missing. One run a realm at a time, whoever starts it and wherever; a
/// run that was interrupted is continued by the next of the same request.
/// </summary>
internal sealed partial class Reconciler(
    KeycloakClient client,
    UserListing listing,
    UserReview review,
    NamedUsers namedUsers,
    ReconcileRunStore runs,
    LeaseStore leases,
    ReconciliationMetrics metrics,
    TimeProvider clock,
    ILogger<Reconciler> logger)
{
    private static readonly TimeSpan ContinuedFor = TimeSpan.FromDays(1);
    private static readonly TimeSpan RememberedFor = TimeSpan.FromDays(90);

    /// <summary>Runs to the end, or until it fails or is cancelled. Says how it ended and never throws for a server's fault.</summary>
    public async Task<ReconcileOutcome> RunAsync(
        ReconcileRequest request, IProgress<ReconcileProgress> progress, CancellationToken cancellationToken)
    {
        var work = new Work(request, progress, clock.GetTimestamp());
        try
        {
            await using var lease = await RealmLease.TakeAsync(leases, clock, request.Realm, cancellationToken);
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

    private async Task<ReconcileOutcome> RunAsync(Work work, RealmLease lease, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lease.Lost);
        var now = clock.GetUtcNow();
        work.Run = await runs.BeginAsync(work.Request, lease.Owner, now, now - ContinuedFor, now - RememberedFor, either.Token);
        ReconcileOutcome outcome;
        try
        {
            if (work.Request.UserIds is { } users)
                await ReviewNamedAsync(work, users, either.Token);
            else
                await ReviewListAsync(work, either.Token);
            outcome = Outcome(work, ReconcileStatus.Done);
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

        await EndAsync(work.Run, outcome);
        metrics.Ended(outcome);
        return outcome;
    }

    private async Task ReviewListAsync(Work work, CancellationToken cancellationToken)
    {
        work.Expected = await client.CountUsersAsync(work.Request.Realm, cancellationToken);
        if (work.Run!.IsContinued)
            LogContinued(work.Run.Id, work.Request.Realm, work.Run.Reached.Rows);
        work.Report();
        await foreach (var page in listing.ReadAsync(work.Request.Realm, work.Run.Reached, cancellationToken))
        {
            // A page that was read is finished even if the run is told to stop: its counts and its accounts belong together.
            var result = await review.ReviewAsync(work.Request, page.Fresh, page.ReadAt, CancellationToken.None);
            var before = page.StartedOver ? work.Run.Counts.StartOver(work.Request.DryRun) : work.Run.Counts;
            work.Run = work.Run with { Reached = page.Reached, Counts = before + result.Counts };
            await SaveAsync(work, result);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task ReviewNamedAsync(Work work, IReadOnlyList<string> users, CancellationToken cancellationToken)
    {
        work.Expected = users.Count;
        foreach (var named in users)
        {
            var result = await namedUsers.ReviewAsync(work.Request, named, cancellationToken);
            work.Run = work.Run! with { Counts = work.Run.Counts + result.Counts };
            await SaveAsync(work, result);
        }
    }

    private async Task SaveAsync(Work work, ReviewResult result)
    {
        work.Problems.AddRange(result.Problems.Take(ReconcileOutcome.MostProblems - work.Problems.Count));
        if (!await runs.SaveAsync(work.Run!, work.Expected, clock.GetUtcNow(), CancellationToken.None))
            throw new InvalidOperationException("Another process has taken the run over.");
        metrics.Reviewed(work.Request, result.Counts);
        work.Report();
    }

    private async Task EndAsync(ReconcileRun run, ReconcileOutcome outcome)
    {
        try
        {
            await runs.EndAsync(run, outcome.Status, outcome.Reason, clock.GetUtcNow(), CancellationToken.None);
        }
        catch (NpgsqlException exception)
        {
            // The row stays as running; the next holder of the lease closes it.
            LogEndNotStored(run.Id, Line(exception));
        }
    }

    private async Task<string> DescribeOtherAsync(string realm, CancellationToken cancellationToken)
    {
        if (await runs.RunningAsync(realm, cancellationToken) is not { } other)
            return "Another process reconciles this realm now.";
        var of = other.Expected is { } expected ? $" of {expected}" : "";
        return $"Run {other.Id} ({other.Trigger}) is at work since {other.StartedAt:u}: {other.Seen}{of} users seen.";
    }

    private ReconcileOutcome Outcome(Work work, ReconcileStatus status, string? reason = null, Exception? error = null) => new(
        work.Request.Realm, status, work.Run?.Id, work.Run?.Counts ?? new ReconcileCounts(), clock.GetElapsedTime(work.StartedAt),
        work.Problems, reason, error);

    private static string Line(Exception exception) => exception.Message.ReplaceLineEndings(" ");

    private sealed class Work(ReconcileRequest request, IProgress<ReconcileProgress> progress, long startedAt)
    {
        public ReconcileRequest Request => request;

        public long StartedAt => startedAt;

        public ReconcileRun? Run { get; set; }

        public long? Expected { get; set; }

        public List<string> Problems { get; } = [];

        public void Report() => progress.Report(new ReconcileProgress(request.Realm, Expected, Run!.Counts));
    }

    [LoggerMessage(EventId = 500, Level = LogLevel.Information, Message = "Continuing run {Run} of realm {Realm} behind row {Row}.")]
    private partial void LogContinued(long run, string realm, long row);

    [LoggerMessage(EventId = 501, Level = LogLevel.Warning, Message = "The end of run {Run} could not be stored: {Reason}")]
    private partial void LogEndNotStored(long run, string reason);
}
