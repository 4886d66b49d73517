using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Grants.Review.Holds.Upkeep;

/// <summary>Feeds the metrics of held grants that wait. The database is read now and then, not for every scrape.</summary>
internal sealed partial class HoldBacklogGauge(
    HoldListStore holds, SchemaGate gate, HoldMetrics metrics, TimeProvider clock, ILogger<HoldBacklogGauge> logger) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        await BackgroundLoop.ShowAsync(
            clock, Every, token => holds.BacklogAsync(clock.GetUtcNow(), token), metrics.SetBacklog, LogUnknown, stoppingToken);
    }

    [LoggerMessage(EventId = 1090, Level = LogLevel.Debug, Message = "The number of held grants could not be read: {Reason}")]
    private partial void LogUnknown(string reason);
}
