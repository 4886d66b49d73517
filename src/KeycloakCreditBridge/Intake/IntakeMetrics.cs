using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake;

/// <summary>Counts deliveries and polls. Realm labels are configured names only: a request cannot invent one.</summary>
internal sealed class IntakeMetrics : IInstruments
{
    private readonly string[] _realms;
    private readonly Counter<long> _accepted;
    private readonly Counter<long> _converged;
    private readonly Counter<long> _ignored;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _notStored;
    private readonly Counter<long> _polled;
    private readonly Counter<long> _failedPolls;
    private readonly Counter<long> _losses;
    private readonly Counter<long> _notRecorded;

    public IntakeMetrics(Meter meter, IOptions<KeycloakOptions> keycloak)
    {
        _realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
        _accepted = meter.CreateCounter<long>("bridge.webhook.accepted", "{delivery}", "Deliveries whose account or hint was committed.");
        _converged = meter.CreateCounter<long>(
            "bridge.webhook.converged", "{delivery}", "Accepted deliveries whose account was committed before the answer.");
        _ignored = meter.CreateCounter<long>("bridge.webhook.ignored", "{delivery}", "Deliveries of events that concern no user.");
        _refused = meter.CreateCounter<long>("bridge.webhook.refused", "{delivery}", "Deliveries that were refused, by reason.");
        _notStored = meter.CreateCounter<long>(
            "bridge.webhook.not_stored", "{delivery}", "Deliveries answered with 503, to be sent again.");
        _polled = meter.CreateCounter<long>("bridge.poll.hints", "{hint}", "Hints that polling brought, by stream.");
        _failedPolls = meter.CreateCounter<long>("bridge.poll.failed", "{poll}", "Polls that ended with an error.");
        _losses = meter.CreateCounter<long>("bridge.poll.losses", "{loss}", "Times that events may have been lost, by stream.");
        _notRecorded = meter.CreateCounter<long>(
            "bridge.deliveries.not_recorded", "{delivery}", "Deliveries whose row was not written; their hints are not concerned.");
    }

    /// <param name="realm">The realm.</param>
    /// <param name="isConverged">Whether the account is committed; otherwise it is the hint.</param>
    public void DeliveryAccepted(string realm, bool isConverged)
    {
        _accepted.Add(1, Realm(realm));
        if (isConverged)
            _converged.Add(1, Realm(realm));
    }

    public void DeliveryIgnored(string realm) => _ignored.Add(1, Realm(realm));

    public void DeliveryRefused(string realm, string reason) => _refused.Add(1, Realm(realm), new("reason", reason));

    public void DeliveryNotStored(string realm) => _notStored.Add(1, Realm(realm));

    public void HintsPolled(string realm, string stream, int count) => _polled.Add(count, Realm(realm), new("stream", stream));

    public void PollFailed(string realm) => _failedPolls.Add(1, Realm(realm));

    public void EventsLost(string realm, string stream) => _losses.Add(1, Realm(realm), new("stream", stream));

    public void DeliveryNotRecorded(string realm) => _notRecorded.Add(1, Realm(realm));

    public void StartAtZero()
    {
        foreach (var counter in new[] { _accepted, _converged, _ignored, _notStored, _failedPolls, _notRecorded })
            counter.StartAtZero("realm", _realms);
        foreach (var counter in new[] { _polled, _losses })
            counter.StartAtZero("realm", _realms, "stream", StreamNames.All);
        _refused.StartAtZero("realm", _realms, "reason", RefusalReasons.OfRealm);
    }

    private static KeyValuePair<string, object?> Realm(string realm) => new("realm", realm);
}
