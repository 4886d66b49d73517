using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Tasks;

/// <summary>Reads the users of the realm that its key names who may still earn credits by a task.</summary>
[DisallowConcurrentExecution]
internal sealed partial class TaskReadingJob(TaskReading reading, IHostApplicationLifetime lifetime, ILogger<TaskReadingJob> logger) : IJob
{
    public const string Group = "tasks";

    public static JobKey KeyOf(string realm) => new(realm, Group);

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        var realm = context.JobDetail.Key.Name;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            if (await reading.RunAsync(realm, dryRun: false, new Progress<TaskReadingCounts>(), either.Token) is not { } counts)
                return;
            LogDone(realm, counts.Users, counts.Paid, counts.Failed);
            foreach (var problem in counts.Problems)
                LogProblem(realm, problem);
        }
        catch (OperationCanceledException)
        {
            // What was paid stays; the next time of the schedule begins anew.
        }
        catch (Exception exception) when (exception is KeycloakException or NpgsqlException)
        {
            var reason = (exception is NpgsqlException database ? PrivilegeErrors.Describe(database) : exception.Message)
                .ReplaceLineEndings(" ");
            LogFailed(realm, reason);
        }
    }

    [LoggerMessage(EventId = 570, Level = LogLevel.Information,
        Message = "Realm {Realm}: {Users} users were read for undone tasks, {Paid} grants paid, {Failed} failed.")]
    private partial void LogDone(string realm, long users, long paid, long failed);

    [LoggerMessage(EventId = 571, Level = LogLevel.Warning, Message = "Realm {Realm}: {Problem}")]
    private partial void LogProblem(string realm, string problem);

    [LoggerMessage(EventId = 572, Level = LogLevel.Warning,
        Message = "Realm {Realm} was not read for undone tasks to its end, the next time begins anew: {Reason}")]
    private partial void LogFailed(string realm, string reason);
}
