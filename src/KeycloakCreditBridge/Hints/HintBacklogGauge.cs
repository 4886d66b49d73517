using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Hints;

/// <summary>Shows how many hints wait and how many are dead. Read every 10 seconds, not for every scrape.</summary>
internal sealed partial class HintBacklogGauge : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    private readonly HintStore _hints;
    private readonly SchemaGate _gate;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private HintBacklog? _newest;

    public HintBacklogGauge(HintStore hints, SchemaGate gate, Meter meter, TimeProvider clock, ILogger<HintBacklogGauge> logger)
    {
        (_hints, _gate, _clock, _logger) = (hints, gate, clock, logger);
        meter.CreateObservableGauge(
            "bridge.hints.waiting", () => Measure(backlog => backlog.Waiting), "{hint}", "Hints that wait to be processed.");
        meter.CreateObservableGauge(
            "bridge.hints.dead", () => Measure(backlog => backlog.Dead), "{hint}", "Hints that were given up after their last attempt.");
        meter.CreateObservableGauge("bridge.hints.oldest", () => Measure(Age), "s", "Age of the oldest waiting hint.");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _gate.WaitAsync(stoppingToken);
        await BackgroundLoop.ShowAsync(_clock, Every, _hints.BacklogAsync, backlog => _newest = backlog, LogUnknown, stoppingToken);
    }

    private double Age(HintBacklog backlog) => backlog.Oldest is { } oldest ? Math.Max(0, (_clock.GetUtcNow() - oldest).TotalSeconds) : 0;

    private IEnumerable<Measurement<double>> Measure(Func<HintBacklog, double> select) =>
        _newest is { } backlog ? [new Measurement<double>(select(backlog))] : [];

    [LoggerMessage(EventId = 310, Level = LogLevel.Debug, Message = "The number of waiting hints is not known: {Reason}")]
    private partial void LogUnknown(string reason);
}
