using KeycloakCreditBridge.Reconciliation.Runs;
using Npgsql;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Schedule;

/// <summary>Reconciles the realm that its key names.</summary>
[DisallowConcurrentExecution]
internal sealed partial class ReconcileJob(
    Reconciler reconciler,
    RequestedRunStore requested,
    CompleteRunStore complete,
    ListThrottle rest,
    IHostApplicationLifetime lifetime,
    TimeProvider clock,
    ILogger<ReconcileJob> logger) : IJob
{
    public const string Group = "reconcile";

    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(30);

    public static JobKey KeyOf(string realm) => new(realm, Group);

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        var realm = context.JobDetail.Key.Name;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        if (await FindWorkAsync(realm, context.Trigger.Key, either.Token) is not { } request)
            return;
        LogStarted(realm, request.Trigger);
        var outcome = await reconciler.RunAsync(request, new Progress(clock, Log), either.Token);
        foreach (var problem in outcome.Problems)
            LogProblem(realm, problem);
        Log(outcome);
        await FollowAsync(context, request, outcome, either.IsCancellationRequested);
    }

    // Who was asked for once is not dropped because another run was at work, the database did not answer, or this replica stops.
    private async Task FollowAsync(IJobExecutionContext context, RunRequest request, ReconcileOutcome outcome, bool stops)
    {
        var (key, now) = (context.Trigger.Key, clock.GetUtcNow());
        if (key.Group == RunTriggers.Schedule || outcome is not { RunId: null, Status: not ReconcileStatus.Cancelled })
            return;
        if (!stops)
            await ReconciliationSchedule.RetryAsync(context.Scheduler, key, context.JobDetail.Key, now + AgainAfter, CancellationToken.None);
        // A scheduler that shuts down takes nothing more: what is on record as waiting is taken up by any replica.
        else if (request.WaitingRun is null)
            await requested.EnqueueAsync(request, now, CancellationToken.None);
    }

    // Who stops has nothing to do any more; what was asked for waits for the next start.
    private async Task<RunRequest?> FindWorkAsync(string realm, TriggerKey trigger, CancellationToken cancellationToken)
    {
        try
        {
            return await RequestAsync(realm, trigger, cancellationToken) is { } request && !await IsNeedlessAsync(request, cancellationToken) ? request : null;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    // What was asked for over HTTP stands in its run; everything else follows from who asks.
    private async Task<RunRequest?> RequestAsync(string realm, TriggerKey trigger, CancellationToken cancellationToken) => trigger.Group switch
    {
        RunTriggers.Http => await requested.FindWaitingAsync(trigger.Name, cancellationToken),
        RunTriggers.Schedule => new RunRequest(realm, trigger.Group, Mode: ReconcileMode.Quick),
        _ => new RunRequest(realm, trigger.Group),
    };

    private async Task<bool> IsNeedlessAsync(RunRequest request, CancellationToken cancellationToken)
    {
        try
        {
            // Replicas that start together may each have asked for it.
            if (request.Trigger == RunTriggers.First)
                return await complete.HasCompleteRunAsync(request.Realm, cancellationToken) && await EndAsync(request, cancellationToken);
            // One that is on record as waiting is done: no time of the schedule comes for it again.
            if (request.Trigger != RunTriggers.Schedule || request.WaitingRun is not null || await rest.UntilAsync(request, cancellationToken) is not { } until)
                return false;
            LogResting(request.Realm, until);
            return true;
        }
        catch (NpgsqlException)
        {
            // The run finds it too, says so, and is done again later.
            return false;
        }
    }

    private async Task<bool> EndAsync(RunRequest needless, CancellationToken cancellationToken)
    {
        if (needless.WaitingRun is { } run)
            await requested.EndAsync(run, "The realm was read meanwhile.", clock.GetUtcNow(), cancellationToken);
        return true;
    }

    private void Log(ReconcileProgress progress) => LogProgress(
        progress.Realm, progress.Counts.Seen, progress.Expected, progress.Counts.Missing, (long)progress.PerSecond, progress.Left);

    private void Log(ReconcileOutcome outcome)
    {
        var (seen, missing, provisioned, failed, _, closed) = outcome.Counts;
        var seconds = Math.Round(outcome.Elapsed.TotalSeconds, 1);
        if (outcome.Status == ReconcileStatus.Done)
            LogDone(outcome.Realm, outcome.Mode, seen, missing, provisioned, closed, failed, seconds);
        else if (outcome.Status == ReconcileStatus.Failed)
            LogFailed(outcome.Realm, seen, outcome.Reason);
        else
            LogNotDone(outcome.Realm, outcome.Status, outcome.Reason);
    }

    private sealed class Progress(TimeProvider clock, Action<ReconcileProgress> log) : IProgress<ReconcileProgress>
    {
        private static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

        private long _loggedAt = clock.GetTimestamp();

        public void Report(ReconcileProgress value)
        {
            if (clock.GetElapsedTime(_loggedAt) < Every)
                return;
            _loggedAt = clock.GetTimestamp();
            log(value);
        }
    }

    [LoggerMessage(EventId = 510, Level = LogLevel.Information, Message = "Reconciling realm {Realm} ({Trigger}).")]
    private partial void LogStarted(string realm, string trigger);

    [LoggerMessage(EventId = 511, Level = LogLevel.Information,
        Message = "Reconciled realm {Realm} by {Mode}: {Seen} users seen, {Missing} missing, {Provisioned} provisioned, {Closed} closed, {Failed} failed, {Seconds} s.")]
    private partial void LogDone(
        string realm, ReconcileMode? mode, long seen, long missing, long provisioned, long closed, long failed, double seconds);

    [LoggerMessage(EventId = 515, Level = LogLevel.Information,
        Message = "Reconciling realm {Realm}: {Seen} of {Expected} users seen, {Missing} missing, {PerSecond} users/s, {Left} left.")]
    private partial void LogProgress(string realm, long seen, long? expected, long missing, long perSecond, TimeSpan? left);

    [LoggerMessage(EventId = 516, Level = LogLevel.Information,
        Message = "Realm {Realm} is not listed again before {Until:u}: listing takes this Keycloak long.")]
    private partial void LogResting(string realm, DateTimeOffset until);

    [LoggerMessage(EventId = 512, Level = LogLevel.Error,
        Message = "Reconciling realm {Realm} failed behind {Seen} users, the next run goes on from there: {Reason}")]
    private partial void LogFailed(string realm, long seen, string? reason);

    [LoggerMessage(EventId = 513, Level = LogLevel.Information, Message = "Did not reconcile realm {Realm} to the end ({Status}): {Reason}")]
    private partial void LogNotDone(string realm, ReconcileStatus status, string? reason);

    [LoggerMessage(EventId = 514, Level = LogLevel.Warning, Message = "Realm {Realm}: {Problem}")]
    private partial void LogProblem(string realm, string problem);
}
