using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage.Sessions;

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
        using var timer = new PeriodicTimer(Every, clock);
        do
        {
            try
            {
                metrics.SetBacklog(await store.ReadAsync(stoppingToken));
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                metrics.SetBacklog(null);
                var reason = PrivilegeErrors.Describe(exception);
                LogUnknown(reason);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(EventId = 1031, Level = LogLevel.Debug,
        Message = "The number of accounts with ended credits could not be read: {Reason}")]
    private partial void LogUnknown(string reason);
}
