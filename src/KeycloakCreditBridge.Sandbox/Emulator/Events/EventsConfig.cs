using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Events;

/// <summary>The events that a realm stores, and its listeners; an empty list of types means all that are saved by default.</summary>
/// <param name="EventsExpiration">Seconds; null keeps events for ever.</param>
internal sealed record EventsConfig(
    bool EventsEnabled,
    long? EventsExpiration,
    IReadOnlyList<string> EventsListeners,
    IReadOnlyList<string> EnabledEventTypes,
    bool AdminEventsEnabled,
    bool AdminEventsDetailsEnabled)
{
    public static EventsConfig Default { get; } = new(false, null, ["jboss-logging"], [], false, false);

    /// <summary>The configuration after a realm's settings were written: what they do not name stays.</summary>
    public EventsConfig WithSettings(JsonObject realm) => new(
        realm.Flag("eventsEnabled") ?? EventsEnabled,
        realm.ContainsKey("eventsExpiration") ? Seconds(realm) : EventsExpiration,
        realm.Texts("eventsListeners") ?? EventsListeners,
        realm.Texts("enabledEventTypes") ?? EnabledEventTypes,
        realm.Flag("adminEventsEnabled") ?? AdminEventsEnabled,
        realm.Flag("adminEventsDetailsEnabled") ?? AdminEventsDetailsEnabled);

    /// <summary>PUT events/config is no patch: without these two, events are off and kept for ever.</summary>
    public EventsConfig WithConfig(JsonObject body, ServerModel model) => WithSettings(body) with
    {
        EventsEnabled = body.Flag("eventsEnabled") ?? false,
        EventsExpiration = Seconds(body),
        EnabledEventTypes = [.. (body.Texts("enabledEventTypes") ?? EnabledEventTypes).Where(EventTypes.KnownTo(model).Contains)],
    };

    public bool Stores(string type) => EventsEnabled
        && (EnabledEventTypes.Count == 0 ? EventTypes.SavedBy(ServerModel.V26_7) : EnabledEventTypes).Contains(type);

    private static long? Seconds(JsonObject body) => body.Number("eventsExpiration") is > 0 and var seconds ? seconds : null;
}
