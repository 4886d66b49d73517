using Quartz;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>Reconciles the realm that its key names.</summary>
[DisallowConcurrentExecution]
internal sealed partial class ReconcileJob(Reconciler reconciler, IHostApplicationLifetime lifetime, ILogger<ReconcileJob> logger) : IJob
{
    public const string Group = "reconcile";

    public static JobKey KeyOf(string realm) => new(realm, Group);

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        var realm = context.JobDetail.Key.Name;
        var trigger = context.Trigger.Key.Group;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        LogStarted(realm, trigger);
        var outcome = await reconciler.RunAsync(new ReconcileRequest(realm, trigger), new NoProgress(), either.Token);
        foreach (var problem in outcome.Problems)
            LogProblem(realm, problem);
        Log(outcome);
    }

    private void Log(ReconcileOutcome outcome)
    {
        var (seen, missing, provisioned, failed) = outcome.Counts;
        var seconds = Math.Round(outcome.Elapsed.TotalSeconds, 1);
        if (outcome.Status == ReconcileStatus.Done)
            LogDone(outcome.Realm, seen, missing, provisioned, failed, seconds);
        else if (outcome.Status == ReconcileStatus.Failed)
            LogFailed(outcome.Realm, seen, outcome.Reason);
        else
            LogNotDone(outcome.Realm, outcome.Status, outcome.Reason);
    }

    private sealed class NoProgress : IProgress<ReconcileProgress>
    {
        public void Report(ReconcileProgress value)
        {
        }
    }

    [LoggerMessage(EventId = 510, Level = LogLevel.Information, Message = "Reconciling realm {Realm} ({Trigger}).")]
    private partial void LogStarted(string realm, string trigger);

    [LoggerMessage(EventId = 511, Level = LogLevel.Information,
        Message = "Reconciled realm {Realm}: {Seen} users seen, {Missing} missing, {Provisioned} provisioned, {Failed} failed, {Seconds} s.")]
    private partial void LogDone(string realm, long seen, long missing, long provisioned, long failed, double seconds);

    [LoggerMessage(EventId = 512, Level = LogLevel.Error,
        Message = "Reconciling realm {Realm} failed behind {Seen} users, the next run goes on from there: {Reason}")]
    private partial void LogFailed(string realm, long seen, string? reason);

    [LoggerMessage(EventId = 513, Level = LogLevel.Information, Message = "Did not reconcile realm {Realm} to the end ({Status}): {Reason}")]
    private partial void LogNotDone(string realm, ReconcileStatus status, string? reason);

    [LoggerMessage(EventId = 514, Level = LogLevel.Warning, Message = "Realm {Realm}: {Problem}")]
    private partial void LogProblem(string realm, string problem);
}
