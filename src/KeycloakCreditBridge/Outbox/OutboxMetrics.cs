using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Outbox;

/// <summary>Counts events that are sent.</summary>
internal sealed class OutboxMetrics : IInstruments
{
    private readonly string[] _endpoints;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _failed;
    private readonly Counter<long> _givenUp;

    public OutboxMetrics(Meter meter, IOptions<OutboxOptions> options)
    {
        _endpoints = options.Value.Enabled ? [.. options.Value.Endpoints.Keys] : [];
        _sent = meter.CreateCounter<long>("bridge.outbox.sent", "{event}", "Events that an endpoint took.");
        _failed = meter.CreateCounter<long>("bridge.outbox.failed", "{request}", "Requests with events that an endpoint did not take.");
        _givenUp = meter.CreateCounter<long>(
            "bridge.outbox.given_up", "{event}", "Events that an endpoint did not take for three days.");
    }

    public void Sent(string endpoint, long events) => Add(_sent, endpoint, events);

    public void Failed(string endpoint, long requests) => Add(_failed, endpoint, requests);

    public void GivenUp(string endpoint, long events) => Add(_givenUp, endpoint, events);

    public void StartAtZero()
    {
        foreach (var counter in new[] { _sent, _failed, _givenUp })
            counter.StartAtZero("endpoint", _endpoints);
    }

    private static void Add(Counter<long> counter, string endpoint, long value)
    {
        if (value > 0)
            counter.Add(value, new KeyValuePair<string, object?>("endpoint", endpoint));
    }
}
