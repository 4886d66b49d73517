using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Grants.Sweep;

/// <summary>Feeds the metrics of ended credits that wait for the sweep. The database is read now and then, not for every scrape.</summary>
internal sealed partial class SweepBacklogGauge(
    SweepBacklogStore store, SchemaGate gate, GrantsMetrics metrics, TimeProvider clock, ILogger<SweepBacklogGauge> logger)
    : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        await BackgroundLoop.ShowAsync(clock, Every, store.ReadAsync, metrics.SetBacklog, LogUnknown, stoppingToken);
    }

    [LoggerMessage(EventId = 1031, Level = LogLevel.Debug,
        Message = "The number of accounts with ended credits could not be read: {Reason}")]
    private partial void LogUnknown(string reason);
}
