using System.Collections.Concurrent;

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
internal sealed class PollStatus
{
    private readonly ConcurrentDictionary<string, RealmPollStatus> _realms = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, RealmPollStatus> Realms => _realms;

    public RealmPollStatus Of(string realm) => _realms.GetValueOrDefault(realm) ?? new RealmPollStatus();

    public void Update(string realm, Func<RealmPollStatus, RealmPollStatus> change) =>
        _realms.AddOrUpdate(realm, _ => change(new RealmPollStatus()), (_, status) => change(status));
}
