using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Events;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;
using KeycloakCreditBridge.Sandbox.Emulator.Webhooks;

namespace KeycloakCreditBridge.Sandbox.Emulator.Realms;

/// <summary>
/// One request's work in a realm: events get their times when they are raised, and become visible together with the change
/// itself at commit; only then are webhooks sent.
/// </summary>
internal sealed class Transaction(RealmState realm, string? address, EmulatorClock clock, FaultInjector faults, WebhookSender webhooks)
{
    private readonly List<UserEvent> _userEvents = [];
    private readonly List<(AdminEvent Event, Caller Caller)> _adminEvents = [];

    /// <summary>Raises an action of a user. <paramref name="at"/> is the time when it is not now, in milliseconds.</summary>
    public void Raise(
        string type,
        string? clientId,
        string? userId,
        Dictionary<string, string>? details,
        string? sessionId = null,
        string? error = null,
        long? at = null) =>
        _userEvents.Add(new UserEvent(
            Guid.NewGuid().ToString(), at ?? clock.Milliseconds, type, realm.Id, clientId, userId, sessionId, address, error, details));

    /// <summary>Raises an action of an administrator.</summary>
    public void RaiseAdmin(
        Caller caller, string operation, string resource, string? path, JsonNode? representation,
        Dictionary<string, string>? details = null)
    {
        var actor = new AuthDetails(caller.Realm.Id, caller.ClientUuid, caller.UserId, address);
        var text = representation?.ToJsonString(EmulatorJson.Readable);
        var id = Guid.NewGuid().ToString();
        _adminEvents.Add((new AdminEvent(id, clock.Milliseconds, realm.Id, actor, operation, resource, path, text, details), caller));
    }

    /// <summary>Stores the events, with which nothing else changes.</summary>
    public Task CommitAsync(CancellationToken token) => CommitAsync(() => { }, token);

    /// <summary>Makes the change and stores the events, or neither; the change may refuse.</summary>
    public async Task CommitAsync(Action change, CancellationToken token)
    {
        if (faults.CommitDelay > TimeSpan.Zero)
            await Task.Delay(faults.CommitDelay, clock.Source, token);
        List<WebhookBody> bodies;
        lock (realm.Gate)
        {
            change();
            foreach (var raised in _userEvents.Where(raised => realm.Events.Stores(raised.Type)))
                realm.UserEvents.Add(raised);
            foreach (var (raised, _) in _adminEvents.Where(_ => realm.Events.AdminEventsEnabled))
                realm.AdminEvents.Add(realm.Events.AdminEventsDetailsEnabled ? raised : raised with { Representation = null });
            bodies =
            [
                .. _userEvents.Select(raised => WebhookBody.Of(realm, raised)),
                .. _adminEvents.Select(raised => WebhookBody.Of(realm, raised.Event, raised.Caller)),
            ];
        }

        foreach (var body in bodies)
            webhooks.Send(realm, body);
    }
}
