using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;
using Quartz;

namespace KeycloakCreditBridge.Analytics.RollUps;

/// <summary>Rebuilds what is counted, in one replica at a time.</summary>
[DisallowConcurrentExecution]
internal sealed partial class RollUpJob(RollUpStore store, IHostApplicationLifetime lifetime, ILogger<RollUpJob> logger) : IJob
{
    public static readonly JobKey Key = new("rollups", "analytics");

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            await store.RebuildAsync(whole: false, either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            // The next run rebuilds all of it.
        }
        catch (NpgsqlException exception)
        {
            var reason = PrivilegeErrors.Describe(exception).ReplaceLineEndings(" ");
            LogInterrupted(reason);
        }
    }

    [LoggerMessage(EventId = 1200, Level = LogLevel.Warning,
        Message = "Analytics were not rebuilt, and show the state of the last time; the next run tries again: {Reason}")]
    private partial void LogInterrupted(string reason);
}
