using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Outbox.Sending;

/// <summary>Shows how endpoints stand. Read every 30 seconds, not for every scrape.</summary>
internal sealed partial class EndpointGauge : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    private readonly ReplayStore _store;
    private readonly SchemaGate _gate;
    private readonly OutboxOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private IReadOnlyList<EndpointStanding>? _newest;

    public EndpointGauge(
        ReplayStore store, SchemaGate gate, IOptions<OutboxOptions> options, Meter meter, TimeProvider clock, ILogger<EndpointGauge> logger)
    {
        (_store, _gate, _options, _clock, _logger) = (store, gate, options.Value, clock, logger);
        meter.CreateObservableGauge(
            "bridge.outbox.oldest", () => Measure(Age), "s", "Age of the oldest event that was not sent to an endpoint yet.");
        meter.CreateObservableGauge(
            "bridge.outbox.waiting", () => Measure(one => one.Waiting), "{event}",
            "Events that an endpoint did not take and that are sent again.");
        meter.CreateObservableGauge(
            "bridge.outbox.disabled", () => Measure(one => one.DisabledAt is null ? 0 : 1), null,
            "1 for an endpoint that nothing is sent to any more.");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!_options.Enabled || _options.Endpoints.Count == 0)
            return;
        await _gate.WaitAsync(stoppingToken);
        await BackgroundLoop.ShowAsync(
            _clock, Every, token => _store.ListAsync(_options.Endpoints.Keys, token), standings => _newest = standings, LogUnknown,
            stoppingToken);
    }

    private double Age(EndpointStanding standing) =>
        standing.Oldest is { } oldest ? Math.Max(0, (_clock.GetUtcNow() - oldest).TotalSeconds) : 0;

    private IEnumerable<Measurement<double>> Measure(Func<EndpointStanding, double> select) => _newest is null ? [] :
        [.. _newest.Select(one => new Measurement<double>(select(one), new KeyValuePair<string, object?>("endpoint", one.Name)))];

    [LoggerMessage(EventId = 1115, Level = LogLevel.Debug, Message = "How endpoints of events stand is not known: {Reason}")]
    private partial void LogUnknown(string reason);
}
