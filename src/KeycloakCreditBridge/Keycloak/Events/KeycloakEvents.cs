using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>
/// Reads what realms store of what happens. Methods throw a <see cref="KeycloakException"/> as those of <see cref="KeycloakClient"/> do.
/// </summary>
internal sealed class KeycloakEvents(AdminTransport transport, CapabilityProbe capabilities)
{
    private readonly EventReader<UserEvent> _userEvents =
        new(transport, "events", EventJson.Default.IReadOnlyListUserEvent, found => found.Time);

    private readonly EventReader<AdminEvent> _adminEvents =
        new(transport, "admin-events", EventJson.Default.IReadOnlyListAdminEvent, found => found.Time);

    /// <summary>Stored user events; see <see cref="EventQuery"/> for order and pages.</summary>
    public Task<IReadOnlyList<UserEvent>> ListUserEventsAsync(string realm, EventQuery query, CancellationToken cancellationToken) =>
        ReadAsync(_userEvents, realm, query, cancellationToken);

    /// <summary>Stored admin events; see <see cref="EventQuery"/> for order and pages.</summary>
    public Task<IReadOnlyList<AdminEvent>> ListAdminEventsAsync(string realm, EventQuery query, CancellationToken cancellationToken) =>
        ReadAsync(_adminEvents, realm, query, cancellationToken);

    /// <summary>The stored event of a user's registration; null where the realm stores none.</summary>
    public async Task<UserEvent?> FindRegistrationAsync(string realm, string userId, CancellationToken cancellationToken)
    {
        var query = $"?type=REGISTER&user={Uri.EscapeDataString(userId)}&max=1";
        var found = await transport.ReadAsync(
            realm, new AdminRequest("events", AdminRequest.ViewEvents, query), EventJson.Default.IReadOnlyListUserEvent, cancellationToken);
        return found is [var first, ..] ? first : null;
    }

    /// <summary>What the realm stores.</summary>
    public Task<EventsConfig> GetConfigAsync(string realm, CancellationToken cancellationToken) => transport.ReadAsync(
        realm, new AdminRequest("events/config", AdminRequest.ViewEvents), EventJson.Default.EventsConfig, cancellationToken);

    private async Task<IReadOnlyList<TEvent>> ReadAsync<TEvent>(
        EventReader<TEvent> reader, string realm, EventQuery query, CancellationToken cancellationToken)
    {
        var found = await capabilities.FindAsync(realm, cancellationToken);
        try
        {
            return await reader.ReadAsync(realm, query, found, cancellationToken);
        }
        catch (KeycloakProtocolException)
        {
            capabilities.Forget(realm);
            throw;
        }
    }
}
