using System.Globalization;
using System.Text.Json.Serialization.Metadata;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>
/// Reads what realms store of what happens. Methods throw a <see cref="KeycloakException"/> as those of <see cref="KeycloakClient"/> do.
/// </summary>
internal sealed class KeycloakEvents(AdminTransport transport, CapabilityProbe capabilities)
{
    private const string UserPath = "users/";
    private const int MostSingly = 3;
    private const int PageSize = 1_000;
    private const int MostPages = 3;

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

    /// <summary>Stored events by which users registered themselves since then; of many users the latest few thousand.</summary>
    public async Task<IReadOnlyList<UserEvent>> ListRegistrationsAsync(
        string realm, IReadOnlyCollection<string> userIds, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var types = string.Join('&', UserEventTypes.Registrations.Order(StringComparer.Ordinal).Select(type => $"type={type}"));
        if (userIds.Count > MostSingly)
            return await LatestAsync(
                realm, "events", types, since, EventJson.Default.IReadOnlyListUserEvent, found => found.Time, cancellationToken);
        List<UserEvent> all = [];
        foreach (var userId in userIds)
        {
            var request = new AdminRequest(
                "events", AdminRequest.ViewEvents, $"?{types}&user={Uri.EscapeDataString(userId)}&max={MostSingly}");
            all.AddRange(await transport.ReadAsync(realm, request, EventJson.Default.IReadOnlyListUserEvent, cancellationToken));
        }

        return all;
    }

    /// <summary>Users that administrators made since then, and when; of many the latest few thousand.</summary>
    public async Task<IReadOnlyList<(string UserId, DateTimeOffset At)>> ListCreatedAsync(
        string realm, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var found = await LatestAsync(
            realm, "admin-events", "operationTypes=CREATE&resourceTypes=USER", since, EventJson.Default.IReadOnlyListAdminEvent,
            made => made.Time, cancellationToken);
        return [
            .. from made in found
               let path = made.ResourcePath ?? ""
               where made.Error is null && path.StartsWith(UserPath, StringComparison.Ordinal)
               let id = path[UserPath.Length..]
               where !id.Contains('/', StringComparison.Ordinal)
               select (id, DateTimeOffset.FromUnixTimeMilliseconds(made.Time))];
    }

    // Newest first, as every server answers by itself.
    private async Task<List<TEvent>> LatestAsync<TEvent>(
        string realm, string resource, string filter, DateTimeOffset since, JsonTypeInfo<IReadOnlyList<TEvent>> type,
        Func<TEvent, long> timeOf, CancellationToken cancellationToken)
    {
        // The server reads the day in a time zone of its own.
        var day = since.UtcDateTime.AddDays(-1).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        List<TEvent> all = [];
        for (var page = 0; page < MostPages; page++)
        {
            var query = string.Create(CultureInfo.InvariantCulture, $"?{filter}&dateFrom={day}&first={all.Count}&max={PageSize}");
            var found = await transport.ReadAsync(
                realm, new AdminRequest(resource, AdminRequest.ViewEvents, query), type, cancellationToken);
            all.AddRange(found);
            if (found.Count < PageSize || timeOf(found[^1]) < since.ToUnixTimeMilliseconds())
                break;
        }

        return all;
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
