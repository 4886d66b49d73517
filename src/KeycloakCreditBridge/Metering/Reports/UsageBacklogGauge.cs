using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Has the metrics show how many reports wait. Looked up now and then, not for every scrape.</summary>
internal sealed partial class UsageBacklogGauge(
    UsageReportStore store, SchemaGate gate, MeteringMetrics metrics, TimeProvider clock, ILogger<UsageBacklogGauge> logger) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Every, clock);
        do
        {
            try
            {
                metrics.SetBacklog(await store.BacklogAsync(stoppingToken));
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                metrics.SetBacklog(null);
                LogUnknown(exception.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(EventId = 857, Level = LogLevel.Debug, Message = "The number of reports that wait is not known: {Reason}")]
    private partial void LogUnknown(string reason);
}
