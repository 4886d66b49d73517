using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Reconciliation.Runs;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Schedule;

/// <summary>Reconciles the realm that its key names.</summary>
[DisallowConcurrentExecution]
internal sealed partial class ReconcileJob(
    Reconciler reconciler, RequestedRunStore requested, IOptions<KeycloakOptions> keycloak, IHostApplicationLifetime lifetime,
    TimeProvider clock, ILogger<ReconcileJob> logger) : IJob
{
    public const string Group = "reconcile";

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(30);

    public static JobKey KeyOf(string realm) => new(realm, Group);

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        // A trigger without a group, as earlier versions store it, may reach a replica that does not watch the realm.
        if (!keycloak.Value.Realms.Exists(realm => realm.Name == context.JobDetail.Key.Name))
        {
            await LeaveToOthersAsync(context);
            return;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        if (await FindRequestAsync(context.JobDetail.Key.Name, context.Trigger.Key, either.Token) is not { } request)
            return;
        var outcome = await reconciler.RunAsync(
            request, new Progress(clock, _ => LogStarted(request.Realm, request.Trigger), Log), either.Token);
        foreach (var problem in outcome.Problems)
            LogProblem(request.Realm, problem);
        Log(outcome);
        await KeepIfUndoneAsync(context, request, outcome, either.IsCancellationRequested);
    }

    private async Task LeaveToOthersAsync(IJobExecutionContext context)
    {
        LogNotWatched(context.JobDetail.Key.Name);
        if (context.Trigger.Key.Group != RunTriggers.Schedule)
        {
            await ReconciliationSchedule.RetryAsync(
                context.Scheduler, context.Trigger.Key, context.JobDetail.Key, clock.GetUtcNow(), CancellationToken.None);
        }
    }

    // A run over HTTP is described by its row; everything else follows from the trigger. A stopping replica leaves the rest to the next
    // start.
    private async Task<RunRequest?> FindRequestAsync(string realm, TriggerKey trigger, CancellationToken cancellationToken)
    {
        try
        {
            return trigger.Group switch
            {
                RunTriggers.Http => await requested.FindWaitingAsync(trigger.Name, cancellationToken),
                RunTriggers.Schedule => new RunRequest(realm, trigger.Group, Mode: ReconcileMode.Quick),
                _ => new RunRequest(realm, trigger.Group),
            };
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    // A single request is kept when another run was at work, the database did not answer, or this replica stops.
    private async Task KeepIfUndoneAsync(IJobExecutionContext context, RunRequest request, ReconcileOutcome outcome, bool isStopping)
    {
        var isDone = outcome is { RunId: not null } or { Status: ReconcileStatus.Cancelled or ReconcileStatus.NotDue };
        if (isDone || context.Trigger.Key.Group == RunTriggers.Schedule)
            return;
        var now = clock.GetUtcNow();
        if (!isStopping)
        {
            await ReconciliationSchedule.RetryAsync(
                context.Scheduler, context.Trigger.Key, context.JobDetail.Key, now + RetryAfter, CancellationToken.None);
        }
        // A scheduler that shuts down takes nothing more, but any replica takes up a waiting row. The next scheduled run replaces a first
        // run.
        else if (request is { WaitingRun: null, Trigger: not RunTriggers.First })
        {
            await requested.EnqueueAsync(request, now, CancellationToken.None);
        }
    }

    private void Log(ReconcileProgress progress) => LogProgress(
        progress.Realm, progress.Counts.Seen, progress.Expected, progress.Counts.Missing, (long)progress.PerSecond, progress.Left);

    private void Log(ReconcileOutcome outcome)
    {
        var (seen, missing, provisioned, failed, _, closed) = outcome.Counts;
        switch (outcome.Status)
        {
            case ReconcileStatus.Done:
                var seconds = Math.Round(outcome.Elapsed.TotalSeconds, 1);
                LogDone(outcome.Realm, outcome.Mode, seen, missing, provisioned, closed, failed, outcome.LeftOut, seconds);
                break;
            case ReconcileStatus.Failed:
                LogFailed(outcome.Realm, seen, outcome.Reason);
                break;
            case ReconcileStatus.NotDue:
                LogNotDue(outcome.Realm, outcome.Reason);
                break;
            default:
                LogNotDone(outcome.Realm, outcome.Status, outcome.Reason);
                break;
        }
    }

    private sealed class Progress(
        TimeProvider clock, Action<ReconcileProgress> logStart, Action<ReconcileProgress> log) : IProgress<ReconcileProgress>
    {
        private static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

        private long? _loggedAt;

        public void Report(ReconcileProgress value)
        {
            if (_loggedAt is { } last && clock.GetElapsedTime(last) < Every)
                return;
            (_loggedAt is null ? logStart : log)(value);
            _loggedAt = clock.GetTimestamp();
        }
    }

    [LoggerMessage(EventId = 517, Level = LogLevel.Debug,
        Message = "This replica does not watch realm {Realm} and leaves its run to another one.")]
    private partial void LogNotWatched(string realm);

    [LoggerMessage(EventId = 510, Level = LogLevel.Information, Message = "Reconciling realm {Realm} ({Trigger}).")]
    private partial void LogStarted(string realm, string trigger);

    [LoggerMessage(EventId = 511, Level = LogLevel.Information,
        Message = "Reconciled realm {Realm} by {Mode}: {Seen} users seen, {Missing} missing, {Provisioned} provisioned, {Closed} closed, "
            + "{Failed} failed, {LeftOut} left out, {Seconds} s.")]
    private partial void LogDone(
        string realm, ReconcileMode? mode, long seen, long missing, long provisioned, long closed, long failed, long leftOut,
        double seconds);

    [LoggerMessage(EventId = 515, Level = LogLevel.Information,
        Message = "Reconciling realm {Realm}: {Seen} of {Expected} users seen, {Missing} missing, {PerSecond} users/s, {Left} left.")]
    private partial void LogProgress(string realm, long seen, long? expected, long missing, long perSecond, TimeSpan? left);

    [LoggerMessage(EventId = 516, Level = LogLevel.Information, Message = "Realm {Realm} is not reconciled now: {Reason}")]
    private partial void LogNotDue(string realm, string? reason);

    [LoggerMessage(EventId = 512, Level = LogLevel.Error,
        Message = "Reconciling realm {Realm} failed after {Seen} users, the next run resumes from there: {Reason}")]
    private partial void LogFailed(string realm, long seen, string? reason);

    [LoggerMessage(
        EventId = 513, Level = LogLevel.Information,
        Message = "Reconciling realm {Realm} did not reach its end ({Status}): {Reason}")]
    private partial void LogNotDone(string realm, ReconcileStatus status, string? reason);

    [LoggerMessage(EventId = 514, Level = LogLevel.Warning, Message = "Realm {Realm}: {Problem}")]
    private partial void LogProblem(string realm, string problem);
}
