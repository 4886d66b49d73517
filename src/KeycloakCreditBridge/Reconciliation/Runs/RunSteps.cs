using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Reconciliation.Review;
using KeycloakCreditBridge.Reconciliation.Scans;
using KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>
/// What a run does between its begin and its end: read a part of the realm, review its users, save, and at last close accounts.
/// </summary>
internal sealed class RunSteps(
    KeycloakClient client,
    UserReview review,
    SingleUserReview singleUsers,
    AccountCloser closer,
    ReconcileRunStore runs,
    UnexplainedCountStore unexplained,
    ReconciliationMetrics metrics,
    TimeProvider clock)
{
    /// <exception cref="RunCancelledException">An operator cancelled the run.</exception>
    public async Task CarryOutAsync(ActiveRun active, ScanPlan plan, CancellationToken cancellationToken)
    {
        if (plan.Error is { } error)
            throw error;
        if (plan.Scan is { } scan)
            await ReviewRealmAsync(active, scan, cancellationToken);
        else
            await ReviewSingleUsersAsync(active, active.Request.UserIds ?? [], cancellationToken);
    }

    private async Task ReviewRealmAsync(ActiveRun active, IScan scan, CancellationToken cancellationToken)
    {
        var request = active.Request;
        // Counts read next to no user, so the realm's size says nothing about their progress. Keycloak's database tells it while it is
        // read.
        if (active.Run.Mode is not (ReconcileMode.Counts or ReconcileMode.Database))
            active.Expected = await client.CountUsersAsync(request.Realm, cancellationToken);
        active.Report();
        Queue<(ScannedPart Part, Task<ReviewResult> Review)> inFlight = [];
        try
        {
            await foreach (var part in scan.ReadAsync(active.Run, request, cancellationToken))
            {
                // A part that was read is finished even if the run is told to stop: its counts and its accounts belong together.
                inFlight.Enqueue((part, review.ReviewAsync(request, part.Users, part.ReadAt, CancellationToken.None)));
                if (inFlight.Count >= scan.MaxConcurrentReviews)
                    await FinishAsync(active, inFlight);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            while (inFlight.Count > 0)
                await FinishAsync(active, inFlight);
        }

        await CloseAsync(active, cancellationToken);
    }

    // In the order in which parts were read: a run resumes at the first that failed, so nothing after it counts as reached.
    private async Task FinishAsync(ActiveRun active, Queue<(ScannedPart Part, Task<ReviewResult> Review)> inFlight)
    {
        var (part, review) = inFlight.Dequeue();
        try
        {
            await FinishAsync(active, part, await review);
        }
        catch (Exception exception) when (exception is not RunCancelledException)
        {
            await Task.WhenAll(inFlight.Select(Task (next) => next.Review)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            inFlight.Clear();
            throw;
        }
    }

    private async Task FinishAsync(ActiveRun active, ScannedPart part, ReviewResult result)
    {
        if (part.StartedOver)
            active.StartOver();
        active.Run = active.Run with { Reached = part.Reached };
        active.Expected = part.Expected ?? active.Expected;
        await SaveAsync(
            active, result + new ReviewResult(new ReconcileCounts(Seen: part.Unchanged, Failed: part.Problems.Count), part.Problems));
    }

    private async Task CloseAsync(ActiveRun active, CancellationToken cancellationToken)
    {
        (var notShown, active.Question) = await closer.CheckShareAsync(active.Run, active.Request, cancellationToken);
        active.Run = active.Run with { Counts = active.Run.Counts with { NotShown = notShown + active.Run.Counts.Closed } };
        await SaveAsync(active, ReviewResult.Empty);
        if (active.Question is not null)
            await unexplained.KeepAsync(active.Run, cancellationToken);
        while (active.Question is null && !active.Request.DryRun
            && await closer.CloseNextAsync(active.Run, active.Request, cancellationToken) is { } closed)
        {
            await SaveAsync(active, closed);
        }

        if (active.Question is null)
            await closer.EndAllowanceAsync(active.Run, active.Request, cancellationToken);
    }

    private async Task ReviewSingleUsersAsync(ActiveRun active, IReadOnlyList<string> users, CancellationToken cancellationToken)
    {
        active.Expected = users.Count;
        foreach (var named in users)
            await SaveAsync(active, await singleUsers.ReviewAsync(active.Request, named, cancellationToken));
    }

    private async Task SaveAsync(ActiveRun active, ReviewResult result)
    {
        active.Run = active.Run with { Counts = active.Run.Counts + result.Counts };
        active.Problems.AddRange(result.Problems.Take(ReconcileOutcome.MaxProblems - active.Problems.Count));
        var isCancelled = await runs.SaveAsync(active.Run, active.CurrentProgress(), clock.GetUtcNow(), CancellationToken.None)
            ?? throw new InvalidOperationException("Another process has taken the run over.");
        metrics.Reviewed(active.Request, result.Counts);
        active.Report();
        if (isCancelled)
            throw new RunCancelledException();
    }
}

/// <summary>An operator cancelled the run.</summary>
internal sealed class RunCancelledException : Exception;
