namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>What a realm stores of what happens.</summary>
/// <param name="EventsEnabled">Whether user events are stored.</param>
/// <param name="EventsExpiration">Seconds that user events are kept; absent or 0 is for ever.</param>
/// <param name="EnabledEventTypes">Types that are stored; the server spells out its defaults.</param>
/// <param name="EventsListeners">Listeners that receive events, webhook plugins among them.</param>
/// <param name="AdminEventsEnabled">Whether admin events are stored.</param>
/// <param name="AdminEventsDetailsEnabled">Whether they are stored with the request's body.</param>
internal sealed record EventsConfig(
    bool EventsEnabled = false,
    long? EventsExpiration = null,
    IReadOnlyList<string>? EnabledEventTypes = null,
    IReadOnlyList<string>? EventsListeners = null,
    bool AdminEventsEnabled = false,
    bool AdminEventsDetailsEnabled = false)
{
    public IReadOnlyList<string> EnabledEventTypes { get; init; } = EnabledEventTypes ?? [];

    public IReadOnlyList<string> EventsListeners { get; init; } = EventsListeners ?? [];
}
