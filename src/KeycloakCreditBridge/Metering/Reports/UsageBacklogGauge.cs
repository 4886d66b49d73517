using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Feeds the metrics of waiting reports. The database is read now and then, not for every scrape.</summary>
internal sealed partial class UsageBacklogGauge(
    UsageReportStore store, SchemaGate gate, MeteringMetrics metrics, TimeProvider clock,
    ILogger<UsageBacklogGauge> logger) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        await BackgroundLoop.ShowAsync(clock, Every, store.BacklogAsync, metrics.SetBacklog, LogUnknown, stoppingToken);
    }

    [LoggerMessage(EventId = 857, Level = LogLevel.Debug, Message = "The number of waiting reports could not be read: {Reason}")]
    private partial void LogUnknown(string reason);
}
