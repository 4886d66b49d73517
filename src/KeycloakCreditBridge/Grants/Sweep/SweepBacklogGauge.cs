using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Grants.Sweep;

/// <summary>
/// Feeds the metrics of ended credits that wait for the sweep. The database is read now and then, not for every scrape. The first end has
/// the sweep scheduled, and the last one ends it.
/// </summary>
internal sealed partial class SweepBacklogGauge(
    SweepBacklogStore store, LotSweepSchedule schedule, QuartzHost quartz, SchemaGate gate, GrantsMetrics metrics, TimeProvider clock,
    ILogger<SweepBacklogGauge> logger) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    // Longer than any sweep leaves an end alone: another replica may have taken the schedule away at the moment of the first end.
    private const double LateSeconds = 300;

    private bool? _isScheduled;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        await BackgroundLoop.ShowAsync(clock, Every, ReadAsync, metrics.SetBacklog, LogUnknown, stoppingToken);
    }

    private async Task<SweepBacklog> ReadAsync(CancellationToken cancellationToken)
    {
        var backlog = await store.ReadAsync(cancellationToken);
        if ((_isScheduled != backlog.HasEnds || backlog.OldestSeconds > LateSeconds) && quartz.Running is { } scheduler)
        {
            await schedule.ApplyAsync(scheduler, backlog.HasEnds, cancellationToken);
            _isScheduled = backlog.HasEnds;
        }

        return backlog;
    }

    [LoggerMessage(EventId = 1031, Level = LogLevel.Debug,
        Message = "The number of accounts with ended credits could not be read: {Reason}")]
    private partial void LogUnknown(string reason);
}
