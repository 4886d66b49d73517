using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Intake.Polling;

/// <summary>How polling of a realm goes, as this process sees it.</summary>
/// <param name="IsPolling">Whether this process polls the realm; if not, another replica does, or none could yet.</param>
/// <param name="LastPoll">When this process last read both streams to their ends.</param>
/// <param name="Error">Why the last poll failed; null when it did not.</param>
/// <param name="UserEventsStored">Whether Keycloak stores user events; null when not known yet.</param>
/// <param name="AdminEventsStored">Whether Keycloak stores admin events; null when not known yet.</param>
/// <param name="Losses">How often, since this process started, events may have been lost.</param>
internal sealed record RealmPollStatus(
    bool IsPolling = false,
    DateTimeOffset? LastPoll = null,
    string? Error = null,
    bool? UserEventsStored = null,
    bool? AdminEventsStored = null,
    long Losses = 0);

/// <summary>How polling goes, for health, doctor and the status page.</summary>
internal sealed class PollStatus : IInstruments
{
    private readonly ConcurrentDictionary<string, RealmPollStatus> _realms = new(StringComparer.Ordinal);

    public PollStatus(Meter meter, TimeProvider clock) => meter.CreateObservableGauge(
        "bridge.poll.age", () => Ages(clock), "s", "Time since this replica last polled the realm; none where another replica polls it.");

    public IReadOnlyDictionary<string, RealmPollStatus> Realms => _realms;

    public RealmPollStatus Of(string realm) => _realms.GetValueOrDefault(realm) ?? new RealmPollStatus();

    public void Update(string realm, Func<RealmPollStatus, RealmPollStatus> change) =>
        _realms.AddOrUpdate(realm, _ => change(new RealmPollStatus()), (_, status) => change(status));

    private IEnumerable<Measurement<double>> Ages(TimeProvider clock) => _realms
        .Where(realm => realm.Value is { IsPolling: true, LastPoll: not null })
        .Select(realm => new Measurement<double>(
            Math.Max(0, (clock.GetUtcNow() - realm.Value.LastPoll!.Value).TotalSeconds),
            new KeyValuePair<string, object?>("realm", realm.Key)));
}
