using System.Globalization;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>
/// The part of Keycloak's Admin API that the bridge needs. Every method throws a <see cref="KeycloakException"/> when Keycloak did not
/// answer as asked, after a few tries where trying again makes sense; an answer that came is complete. Safe for any number of callers.
/// </summary>
internal sealed class KeycloakClient(AdminTransport api, CapabilityProbe capabilities)
{
    private const string ServiceAccountPrefix = "service-account-";
    private const int GroupsPerPage = 1_000;

    private readonly EventReader<UserEvent> _userEvents =
        new(api, "events", KeycloakJson.Default.IReadOnlyListUserEvent, found => found.Time);

    private readonly EventReader<AdminEvent> _adminEvents =
        new(api, "admin-events", KeycloakJson.Default.IReadOnlyListAdminEvent, found => found.Time);

    /// <summary>The user with attributes, or null when Keycloak says that there is none (which may mean: not committed yet).</summary>
    public Task<KeycloakUser?> FindUserAsync(string realm, string userId, CancellationToken cancellationToken)
    {
        // Addresses drop dot segments, an empty one is the list, and two words are addresses of their own, so these would ask for something
        // else. No database keeps a NUL.
        if (userId is "" or "." or ".." or "count" or "profile" || userId.Contains('\0', StringComparison.Ordinal))
            return Task.FromResult<KeycloakUser?>(null);
        var question = Users($"/{Uri.EscapeDataString(userId)}");
        return api.AskAsync(
            realm, question, answer => answer.IsUserNotFound ? null : answer.Read(KeycloakJson.Default.KeycloakUser), cancellationToken);
    }

    /// <summary>
    /// A page of the realm's people by user name, without attributes and without service accounts. Only an empty page is surely the end,
    /// as users that the client may not see are taken out of a page after it was cut.
    /// </summary>
    public Task<IReadOnlyList<KeycloakUser>> ListUsersAsync(string realm, int first, int max, CancellationToken cancellationToken)
    {
        var rest = string.Create(CultureInfo.InvariantCulture, $"?briefRepresentation=true&first={first}&max={max}");
        return api.ReadAsync(realm, Users(rest), KeycloakJson.Default.IReadOnlyListKeycloakUser, cancellationToken);
    }

    /// <summary>
    /// A page of the users that Keycloak keeps itself, service accounts among them, by user name and without attributes. The filter on a
    /// field that no directory has keeps Keycloak from asking its federations for people and importing them; whoever was imported before
    /// is shown.
    /// </summary>
    public Task<IReadOnlyList<KeycloakUser>> ListStoredUsersAsync(
        string realm, bool emailVerified, int first, int max, CancellationToken cancellationToken)
    {
        var rest = string.Create(
            CultureInfo.InvariantCulture,
            $"?briefRepresentation=true&emailVerified={(emailVerified ? "true" : "false")}&first={first}&max={max}");
        return api.ReadAsync(realm, Users(rest), KeycloakJson.Default.IReadOnlyListKeycloakUser, cancellationToken);
    }

    /// <summary>People who have exactly this text as user name, e-mail address, first or last name, in any case of letters; without attributes.</summary>
    public Task<IReadOnlyList<KeycloakUser>> SearchUsersAsync(string realm, string text, CancellationToken cancellationToken) => api.ReadAsync(
        realm, Users($"?briefRepresentation=true&search={Uri.EscapeDataString($"\"{text}\"")}"), KeycloakJson.Default.IReadOnlyListKeycloakUser, cancellationToken);

    /// <summary>How many people the realm has; service accounts and federated users without import are not counted.</summary>
    public Task<long> CountUsersAsync(string realm, CancellationToken cancellationToken) =>
        api.ReadAsync(realm, new AdminRequest("users/count", AdminRequest.ViewUsers), KeycloakJson.Default.Int64, cancellationToken);

    /// <summary>How many users Keycloak keeps itself that were created within these milliseconds, both included; service accounts are counted.</summary>
    public Task<long> CountCreatedAsync(string realm, CreatedWindow window, CancellationToken cancellationToken) => api.ReadAsync(
        realm, new AdminRequest("users/count", AdminRequest.ViewUsers, $"?{window.Query}"), KeycloakJson.Default.Int64, cancellationToken);

    /// <summary>Those users, a page by user name, without attributes.</summary>
    public Task<IReadOnlyList<KeycloakUser>> ListCreatedAsync(
        string realm, CreatedWindow window, int first, int max, CancellationToken cancellationToken)
    {
        var rest = string.Create(CultureInfo.InvariantCulture, $"?briefRepresentation=true&{window.Query}&first={first}&max={max}");
        return api.ReadAsync(realm, Users(rest), KeycloakJson.Default.IReadOnlyListKeycloakUser, cancellationToken);
    }

    /// <summary>
    /// Whether a user name belongs to a person and not to a client's service account. Only names with the prefix service-account- need
    /// to ask Keycloak; every other is a person's. No answer of Keycloak's marks a service account, but its search leaves them out.
    /// </summary>
    public async Task<bool> IsRegularUserAsync(string realm, string username, CancellationToken cancellationToken)
    {
        if (!HasServiceAccountName(username))
            return true;
        var found = await SearchUsersAsync(realm, username, cancellationToken);
        // The search looks at addresses and names of persons too.
        return found.Any(user => string.Equals(user.Username, username, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Whether the name has the form of a service account's, which a person's may have too.</summary>
    public static bool HasServiceAccountName(string? username) =>
        username is not null && username.StartsWith(ServiceAccountPrefix, StringComparison.OrdinalIgnoreCase);

    /// <summary>Aliases of the identity providers that a user is linked to; none when Keycloak says that there is no such user.</summary>
    public Task<IReadOnlyList<string>> ListIdentityProvidersAsync(string realm, string userId, CancellationToken cancellationToken) => api.AskAsync<IReadOnlyList<string>>(
        realm, Users($"/{Uri.EscapeDataString(userId)}/federated-identity"),
        answer => answer.IsUserNotFound ? [] : [.. answer.Read(KeycloakJson.Default.IReadOnlyListFederatedIdentity).Select(link => link.IdentityProvider)],
        cancellationToken);

    /// <summary>Paths of the groups that a user is a member of, not of those above them; null when Keycloak says that there is no such user.</summary>
    public async Task<IReadOnlyList<string>?> ListGroupsAsync(string realm, string userId, CancellationToken cancellationToken)
    {
        List<string> paths = [];
        for (var pageEnd = GroupsPerPage; ; pageEnd += GroupsPerPage)
        {
            var page = string.Create(
                CultureInfo.InvariantCulture,
                $"/{Uri.EscapeDataString(userId)}/groups?briefRepresentation=true&first={pageEnd - GroupsPerPage}&max={GroupsPerPage}");
            var found = await api.AskAsync(
                realm, Users(page), answer => answer.IsUserNotFound ? null : answer.Read(KeycloakJson.Default.IReadOnlyListUserGroup), cancellationToken);
            if (found is null)
                return null;
            paths.AddRange(found.Select(group => group.Path));
            if (found.Count < GroupsPerPage)
                return paths;
        }
    }

    /// <summary>Names of the realm roles that a user has, also through groups and other roles; null when Keycloak says that there is no such user.</summary>
    public Task<IReadOnlyList<string>?> ListRealmRolesAsync(string realm, string userId, CancellationToken cancellationToken) => api.AskAsync<IReadOnlyList<string>?>(
        realm, Users($"/{Uri.EscapeDataString(userId)}/role-mappings/realm/composite"),
        answer => answer.IsUserNotFound ? null : [.. answer.Read(KeycloakJson.Default.IReadOnlyListRealmRole).Select(role => role.Name)],
        cancellationToken);

    /// <summary>Stored user events; see <see cref="EventQuery"/> for order and pages.</summary>
    public Task<IReadOnlyList<UserEvent>> ListUserEventsAsync(string realm, EventQuery query, CancellationToken cancellationToken) =>
        ReadEventsAsync(_userEvents, realm, query, cancellationToken);

    /// <summary>Stored admin events; see <see cref="EventQuery"/> for order and pages.</summary>
    public Task<IReadOnlyList<AdminEvent>> ListAdminEventsAsync(string realm, EventQuery query, CancellationToken cancellationToken) =>
        ReadEventsAsync(_adminEvents, realm, query, cancellationToken);

    /// <summary>What the realm stores.</summary>
    public Task<EventsConfig> GetEventsConfigAsync(string realm, CancellationToken cancellationToken) => api.ReadAsync(
        realm, new AdminRequest("events/config", AdminRequest.ViewEvents), KeycloakJson.Default.EventsConfig, cancellationToken);

    /// <summary>What the server can do; asked at most once an hour, and again after an answer that did not fit.</summary>
    public Task<ServerCapabilities> GetCapabilitiesAsync(string realm, CancellationToken cancellationToken) =>
        capabilities.FindAsync(realm, cancellationToken);

    /// <summary>Whether the server can list and count users by when they were created.</summary>
    public Task<bool> HasCreatedWindowsAsync(string realm, CancellationToken cancellationToken) =>
        capabilities.HasCreatedWindowsAsync(realm, cancellationToken);

    /// <summary>Finds anew what the server can do, since an answer did not fit.</summary>
    public void ForgetCapabilities(string realm) => capabilities.Forget(realm);

    /// <summary>Returns when users can be read, and both kinds of events where wanted, and otherwise throws what must be mended.</summary>
    public async Task CheckAccessAsync(string realm, bool events, CancellationToken cancellationToken)
    {
        await CheckUserAccessAsync(realm, cancellationToken);
        if (!events)
            return;
        foreach (var resource in new[] { "events", "admin-events" })
        {
            var question = new AdminRequest(resource, AdminRequest.ViewEvents, "?max=1");
            await api.AskAsync(realm, question, answer => answer.Read(KeycloakJson.Default.JsonElement), cancellationToken);
        }
    }

    /// <summary>
    /// Returns when users can be read, and otherwise throws what must be mended. A client that may only query users sees none of them, and
    /// older servers then count none either, which looks like an empty realm. One user is always there: the client's own service account,
    /// which a search by user name finds. Nobody is imported for this.
    /// </summary>
    public async Task CheckUserAccessAsync(string realm, CancellationToken cancellationToken)
    {
        foreach (var verified in (bool[])[false, true])
        {
            if ((await ListStoredUsersAsync(realm, verified, first: 0, max: 1, cancellationToken)).Count > 0)
                return;
        }

        var account = Uri.EscapeDataString(ServiceAccountPrefix + api.ClientIdOf(realm));
        var self = Users($"?briefRepresentation=true&exact=true&username={account}");
        var seen = await api.ReadAsync(realm, self, KeycloakJson.Default.IReadOnlyListKeycloakUser, cancellationToken);
        if (seen.Count == 0 || await CountUsersAsync(realm, cancellationToken) > 0)
            throw api.Forbidden(realm, Users());
    }

    private async Task<IReadOnlyList<TEvent>> ReadEventsAsync<TEvent>(
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

    private static AdminRequest Users(string rest = "") => new("users", AdminRequest.ViewUsers, rest);
}
