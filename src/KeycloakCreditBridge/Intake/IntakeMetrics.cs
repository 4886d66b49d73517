using System.Diagnostics.Metrics;

namespace KeycloakCreditBridge.Intake;

/// <summary>What came in, and what could not. Realm labels are configured names only: a request cannot invent one.</summary>
internal sealed class IntakeMetrics : IDisposable
{
    private readonly Meter meter;
    private readonly Counter<long> accepted;
    private readonly Counter<long> ignored;
    private readonly Counter<long> refused;
    private readonly Counter<long> notStored;
    private readonly Counter<long> polled;
    private readonly Counter<long> failedPolls;
    private readonly Counter<long> losses;

    public IntakeMetrics(IMeterFactory meters)
    {
        meter = meters.Create("KeycloakCreditBridge");
        accepted = meter.CreateCounter<long>("bridge.webhook.accepted", "{delivery}", "Deliveries whose hint was stored.");
        ignored = meter.CreateCounter<long>("bridge.webhook.ignored", "{delivery}", "Deliveries of events that concern no user.");
        refused = meter.CreateCounter<long>("bridge.webhook.refused", "{delivery}", "Deliveries that were refused, by reason.");
        notStored = meter.CreateCounter<long>("bridge.webhook.not_stored", "{delivery}", "Deliveries answered with 503, to be sent again.");
        polled = meter.CreateCounter<long>("bridge.poll.hints", "{hint}", "Hints that polling brought, by stream.");
        failedPolls = meter.CreateCounter<long>("bridge.poll.failed", "{poll}", "Polls that ended with an error.");
        losses = meter.CreateCounter<long>("bridge.poll.losses", "{loss}", "Times that events may have been lost, by stream.");
    }

    public void DeliveryAccepted(string realm) => accepted.Add(1, Realm(realm));

    public void DeliveryIgnored(string realm) => ignored.Add(1, Realm(realm));

    public void DeliveryRefused(string realm, string reason) => refused.Add(1, Realm(realm), new("reason", reason));

    public void DeliveryNotStored(string realm) => notStored.Add(1, Realm(realm));

    public void HintsPolled(string realm, string stream, int count) => polled.Add(count, Realm(realm), new("stream", stream));

    public void PollFailed(string realm) => failedPolls.Add(1, Realm(realm));

    public void EventsLost(string realm, string stream) => losses.Add(1, Realm(realm), new("stream", stream));

    public void Dispose() => meter.Dispose();

    private static KeyValuePair<string, object?> Realm(string realm) => new("realm", realm);
}
