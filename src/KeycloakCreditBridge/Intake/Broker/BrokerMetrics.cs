using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>Counts events that come by the broker, and shows how its queues stand.</summary>
internal sealed class BrokerMetrics : IInstruments
{
    /// <summary>Why events are refused.</summary>
    public static readonly string[] Reasons = [RefusalReasons.Malformed, RefusalReasons.TooLong, RefusalReasons.UserId];

    private readonly string[] _realms;
    private readonly Counter<long> _accepted;
    private readonly Counter<long> _converged;
    private readonly Counter<long> _ignored;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _foreign;
    private readonly bool _isEnabled;

    public BrokerMetrics(Meter meter, IOptions<KeycloakOptions> keycloak, IOptions<IntakeOptions> intake)
    {
        _isEnabled = intake.Value.Broker.IsEnabled;
        _realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
        _accepted = meter.CreateCounter<long>(
            "bridge.broker.accepted", "{event}", "Events of the broker whose account or hint was committed.");
        _converged = meter.CreateCounter<long>(
            "bridge.broker.converged", "{event}", "Accepted events of the broker whose account was committed at once.");
        _ignored = meter.CreateCounter<long>("bridge.broker.ignored", "{event}", "Events of the broker that concern no user.");
        _refused = meter.CreateCounter<long>(
            "bridge.broker.refused", "{event}", "Events of the broker that can never be read, by reason; they are dead letters.");
        _foreign = meter.CreateCounter<long>(
            "bridge.broker.foreign", "{event}", "Events of the broker whose routing key names no configured realm.");
        meter.CreateObservableGauge(
            "bridge.broker.connected", () => Measured(_isEnabled ? Convert.ToUInt32(IsConnected) : null), null,
            "1 while this replica takes events; none without a broker.");
        meter.CreateObservableGauge(
            "bridge.broker.waiting", () => Measured(Queues?.Events.Waiting), "{event}",
            "Events in the queue that no replica has; of the broker.");
        meter.CreateObservableGauge(
            "bridge.broker.dead", () => Measured(Queues?.Dead.Waiting), "{event}", "Dead letters in their queue; of the broker.");
    }

    /// <summary>Whether this process takes events.</summary>
    public bool IsConnected { get; set; }

    /// <summary>The queues as last read; null where that is not known.</summary>
    public QueueStates? Queues { get; set; }

    /// <param name="realm">The realm.</param>
    /// <param name="isConverged">Whether the account is committed; otherwise it is the hint.</param>
    public void Accepted(string realm, bool isConverged)
    {
        _accepted.Add(1, Realm(realm));
        if (isConverged)
            _converged.Add(1, Realm(realm));
    }

    public void Ignored(string realm) => _ignored.Add(1, Realm(realm));

    public void Refused(string realm, string reason) => _refused.Add(1, Realm(realm), new("reason", reason));

    public void Foreign() => _foreign.Add(1);

    public void StartAtZero()
    {
        if (!_isEnabled)
            return;
        foreach (var counter in new[] { _accepted, _converged, _ignored })
            counter.StartAtZero("realm", _realms);
        _refused.StartAtZero("realm", _realms, "reason", Reasons);
        _foreign.Add(0);
    }

    private static IEnumerable<Measurement<long>> Measured(uint? value) => value is { } known ? [new Measurement<long>(known)] : [];

    private static KeyValuePair<string, object?> Realm(string realm) => new("realm", realm);
}
