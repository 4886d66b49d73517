using Npgsql;
using Quartz;

namespace KeycloakCreditBridge.Periods;

/// <summary>Renews the accounts whose period ended, in one replica at a time.</summary>
[DisallowConcurrentExecution]
internal sealed partial class PeriodJob(PeriodReset reset, IHostApplicationLifetime lifetime, ILogger<PeriodJob> logger) : IJob
{
    public static readonly JobKey Key = new("reset", "periods");

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            await reset.RunAsync(either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            LogStopped();
        }
        catch (NpgsqlException exception)
        {
            LogInterrupted(exception.Message);
        }
    }

    [LoggerMessage(EventId = 910, Level = LogLevel.Information, Message = "Stopped renewing accounts; the next run renews the rest.")]
    private partial void LogStopped();

    [LoggerMessage(EventId = 911, Level = LogLevel.Error, Message = "Renewing accounts failed; the next run renews the rest: {Reason}")]
    private partial void LogInterrupted(string reason);
}
