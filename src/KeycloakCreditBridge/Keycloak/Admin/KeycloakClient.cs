using System.Globalization;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>
/// Reads users over Keycloak's Admin API. Every method throws a <see cref="KeycloakException"/> when Keycloak did not answer as asked,
/// after a few tries where a repetition helps; an answer that came is complete. Safe for any number of callers.
/// </summary>
internal sealed class KeycloakClient(AdminTransport transport, CapabilityProbe capabilities)
{
    private const string ServiceAccountPrefix = "service-account-";
    private const int GroupsPerPage = 1_000;

    /// <summary>The user with attributes, or null when Keycloak says that there is none (which may mean: not committed yet).</summary>
    /// <remarks>
    /// Before 26.3 a user who is locked out for a while by wrong passwords is read as disabled by id. Lists say what is true of the user.
    /// </remarks>
    public async Task<KeycloakUser?> FindUserAsync(string realm, string userId, CancellationToken cancellationToken)
    {
        // Addresses drop dot segments, an empty one is the list, and two names are addresses of their own: these would ask for something
        // else. No database keeps a NUL.
        if (userId is "" or "." or ".." or "count" or "profile" || userId.Contains('\0', StringComparison.Ordinal))
            return null;
        var user = await transport.AskAsync(
            realm,
            Users($"/{Uri.EscapeDataString(userId)}"),
            response => response.IsUserNotFound ? null : response.Read(KeycloakJson.Default.KeycloakUser),
            cancellationToken);
        return user is { Enabled: false }
            ? user with { Enabled = await IsListedEnabledAsync(realm, user.Id, cancellationToken) }
            : user;
    }

    /// <summary>
    /// A page of the realm's users by user name, without attributes and without service accounts. Only an empty page is surely the end:
    /// Keycloak takes users that the client may not see out of a page after it was cut.
    /// </summary>
    public Task<IReadOnlyList<KeycloakUser>> ListUsersAsync(string realm, int first, int max, CancellationToken cancellationToken) =>
        ListAsync(realm, string.Create(CultureInfo.InvariantCulture, $"first={first}&max={max}"), cancellationToken);

    /// <summary>
    /// A page of the users that Keycloak keeps itself, service accounts among them, by user name and without attributes. The filter on a
    /// field that no directory has keeps Keycloak from importing users of its federations; users imported before are listed.
    /// </summary>
    public Task<IReadOnlyList<KeycloakUser>> ListStoredUsersAsync(
        string realm, bool emailVerified, int first, int max, CancellationToken cancellationToken) => ListAsync(
        realm,
        string.Create(CultureInfo.InvariantCulture, $"emailVerified={(emailVerified ? "true" : "false")}&first={first}&max={max}"),
        cancellationToken);

    /// <summary>
    /// Users with exactly this text as user name, e-mail address, first or last name, in any case of letters; without attributes.
    /// </summary>
    public Task<IReadOnlyList<KeycloakUser>> SearchUsersAsync(string realm, string text, CancellationToken cancellationToken) =>
        ListAsync(realm, $"search={Uri.EscapeDataString($"\"{text}\"")}", cancellationToken);

    /// <summary>How many users the realm has; service accounts and federated users without import are not counted.</summary>
    public Task<long> CountUsersAsync(string realm, CancellationToken cancellationToken) => CountAsync(realm, "", cancellationToken);

    /// <summary>
    /// How many users of Keycloak's own were created within these milliseconds, both included; service accounts are counted.
    /// </summary>
    public Task<long> CountCreatedAsync(string realm, CreatedWindow window, CancellationToken cancellationToken) =>
        CountAsync(realm, $"?{window.Query}", cancellationToken);

    /// <summary>Those users, a page by user name, without attributes.</summary>
    public Task<IReadOnlyList<KeycloakUser>> ListCreatedAsync(
        string realm, CreatedWindow window, int first, int max, CancellationToken cancellationToken) =>
        ListAsync(realm, string.Create(CultureInfo.InvariantCulture, $"{window.Query}&first={first}&max={max}"), cancellationToken);

    /// <summary>
    /// Whether a user name belongs to a user and not to a client's service account. Only names with the prefix service-account- are asked
    /// for; every other is a user's. No answer of Keycloak's marks a service account, but its search leaves them out.
    /// </summary>
    public async Task<bool> IsRegularUserAsync(string realm, string username, CancellationToken cancellationToken)
    {
        if (!HasServiceAccountName(username))
            return true;
        var found = await SearchUsersAsync(realm, username, cancellationToken);
        // The search compares addresses and names too.
        return found.Any(user => string.Equals(user.Username, username, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Whether the name has the form of a service account's, which a user's may have too.</summary>
    public static bool HasServiceAccountName(string? username) =>
        username is not null && username.StartsWith(ServiceAccountPrefix, StringComparison.OrdinalIgnoreCase);

    /// <summary>Aliases of the identity providers that a user is linked to; none when Keycloak says that there is no such user.</summary>
    public async Task<IReadOnlyList<string>> ListIdentityProvidersAsync(
        string realm, string userId, CancellationToken cancellationToken) =>
        [.. (await ListIdentitiesAsync(realm, userId, cancellationToken)).Select(link => link.IdentityProvider)];

    /// <summary>What a user is at identity providers; nothing when Keycloak says that there is no such user.</summary>
    public Task<IReadOnlyList<FederatedIdentity>> ListIdentitiesAsync(
        string realm, string userId, CancellationToken cancellationToken) =>
        transport.AskAsync<IReadOnlyList<FederatedIdentity>>(
            realm,
            Users($"/{Uri.EscapeDataString(userId)}/federated-identity"),
            response => response.IsUserNotFound ? [] : response.Read(KeycloakJson.Default.IReadOnlyListFederatedIdentity),
            cancellationToken);

    /// <summary>
    /// Paths of the groups that a user is a member of, not of those above; null when Keycloak says that there is no such user.
    /// </summary>
    public async Task<IReadOnlyList<string>?> ListGroupsAsync(string realm, string userId, CancellationToken cancellationToken)
    {
        List<string> paths = [];
        for (var pageEnd = GroupsPerPage; ; pageEnd += GroupsPerPage)
        {
            var page = string.Create(
                CultureInfo.InvariantCulture,
                $"/{Uri.EscapeDataString(userId)}/groups?briefRepresentation=true&first={pageEnd - GroupsPerPage}&max={GroupsPerPage}");
            var found = await transport.AskAsync(
                realm,
                Users(page),
                response => response.IsUserNotFound ? null : response.Read(KeycloakJson.Default.IReadOnlyListUserGroup),
                cancellationToken);
            if (found is null)
                return null;
            paths.AddRange(found.Select(group => group.Path));
            if (found.Count < GroupsPerPage)
                return paths;
        }
    }

    /// <summary>
    /// Names of a user's realm roles, also through groups and other roles; null when Keycloak says that there is no such user.
    /// </summary>
    public Task<IReadOnlyList<string>?> ListRealmRolesAsync(string realm, string userId, CancellationToken cancellationToken) =>
        transport.AskAsync<IReadOnlyList<string>?>(
            realm,
            Users($"/{Uri.EscapeDataString(userId)}/role-mappings/realm/composite"),
            response =>
                response.IsUserNotFound ? null : [.. response.Read(KeycloakJson.Default.IReadOnlyListRealmRole).Select(role => role.Name)],
            cancellationToken);

    /// <summary>
    /// Aliases of the organisations that a user is a member of; none where the realm has no organisations. It needs `manage-realm`.
    /// </summary>
    public Task<IReadOnlyList<string>> ListOrganizationsAsync(string realm, string userId, CancellationToken cancellationToken) =>
        transport.AskAsync<IReadOnlyList<string>>(
            realm,
            new AdminRequest(
                "organizations", AdminRequest.ManageRealm, $"/members/{Uri.EscapeDataString(userId)}/organizations"),
            response => response.IsResourceNotFound
                ? []
                : [.. response.Read(KeycloakJson.Default.IReadOnlyListUserOrganization).Select(found => found.Alias ?? found.Name)],
            cancellationToken);

    /// <summary>Types of a user's credentials; null when Keycloak says that there is no such user.</summary>
    public Task<IReadOnlyList<string>?> ListCredentialsAsync(string realm, string userId, CancellationToken cancellationToken) =>
        transport.AskAsync<IReadOnlyList<string>?>(
            realm,
            Users($"/{Uri.EscapeDataString(userId)}/credentials"),
            response => response.IsUserNotFound
                ? null
                : [.. response.Read(KeycloakJson.Default.IReadOnlyListStoredCredential).Select(stored => stored.Type).OfType<string>()],
            cancellationToken);

    /// <summary>What the server can do; asked at most once an hour, and again after an answer that did not fit.</summary>
    public Task<ServerCapabilities> GetCapabilitiesAsync(string realm, CancellationToken cancellationToken) =>
        capabilities.FindAsync(realm, cancellationToken);

    /// <summary>Whether the server can list and count users by when they were created.</summary>
    public Task<bool> HasCreatedWindowsAsync(string realm, CancellationToken cancellationToken) =>
        capabilities.HasCreatedWindowsAsync(realm, cancellationToken);

    /// <summary>Has the next caller probe again what the server can do, since an answer did not fit.</summary>
    public void ForgetCapabilities(string realm) => capabilities.Forget(realm);

    /// <summary>
    /// Returns when users can be read, and both kinds of events where wanted, and otherwise throws what must be corrected.
    /// </summary>
    public async Task CheckAccessAsync(string realm, bool events, CancellationToken cancellationToken)
    {
        await CheckUserAccessAsync(realm, cancellationToken);
        if (!events)
            return;
        await CheckEventAccessAsync(realm, "events", cancellationToken);
        await CheckEventAccessAsync(realm, "admin-events", cancellationToken);
    }

    /// <summary>Returns when this kind of events can be read, and otherwise throws what must be corrected.</summary>
    /// <param name="realm">The realm's name.</param>
    /// <param name="resource">events or admin-events.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public Task CheckEventAccessAsync(string realm, string resource, CancellationToken cancellationToken) => transport.ReadAsync(
        realm, new AdminRequest(resource, AdminRequest.ViewEvents, "?max=1"), KeycloakJson.Default.JsonElement, cancellationToken);

    /// <summary>
    /// Returns when users can be read, and otherwise throws what must be corrected. A client that may only query users sees none, and
    /// older servers then count none either, which looks like an empty realm. One user always exists: the client's own service account,
    /// which a search by user name finds. No user is imported for this.
    /// </summary>
    public async Task CheckUserAccessAsync(string realm, CancellationToken cancellationToken)
    {
        foreach (var verified in (bool[])[false, true])
        {
            if ((await ListStoredUsersAsync(realm, verified, first: 0, max: 1, cancellationToken)).Count > 0)
                return;
        }

        var account = Uri.EscapeDataString(ServiceAccountPrefix + transport.ClientIdOf(realm));
        var seen = await ListAsync(realm, $"exact=true&username={account}", cancellationToken);
        if (seen.Count == 0 || await CountUsersAsync(realm, cancellationToken) > 0)
            throw transport.Forbidden(realm, Users(""));
    }

    // Since 26.7 at the latest this search splits ids at blanks and finds no such user: there the first answer was true.
    private async Task<bool> IsListedEnabledAsync(string realm, string userId, CancellationToken cancellationToken)
    {
        var found = await ListAsync(realm, $"search={Uri.EscapeDataString($"id:{userId}")}", cancellationToken);
        return found.Any(user => user.Id == userId && user.Enabled);
    }

    private Task<IReadOnlyList<KeycloakUser>> ListAsync(string realm, string query, CancellationToken cancellationToken) =>
        transport.ReadAsync(
        realm, Users($"?briefRepresentation=true&{query}"), KeycloakJson.Default.IReadOnlyListKeycloakUser, cancellationToken);

    private Task<long> CountAsync(string realm, string query, CancellationToken cancellationToken) => transport.ReadAsync(
        realm, new AdminRequest("users/count", AdminRequest.ViewUsers, query), KeycloakJson.Default.Int64, cancellationToken);

    private static AdminRequest Users(string suffix) => new("users", AdminRequest.ViewUsers, suffix);
}
