using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Admin;

/// <summary>
/// The administrator's side of a Keycloak, over its REST API with the token of the master realm's administrator.
/// A call that fails throws <see cref="HttpRequestException"/> with method, path, status and body.
/// </summary>
internal sealed class KeycloakAdmin(Uri server, string adminUser, string password, TimeProvider clock) : IDisposable
{
    private readonly AdministratorClient _client = new(server, adminUser, password, clock);

    public static KeycloakAdmin Of(IKeycloakServer server) =>
        new(server.Url, server.AdminUser, server.AdminPassword, TimeProvider.System);

    /// <summary>Creates a realm from an export file's text, under <paramref name="realm"/> whatever name the file has.</summary>
    public Task ImportRealmAsync(string realm, string realmJson, CancellationToken token)
    {
        var content = JsonNode.Parse(realmJson)!.AsObject();
        content["realm"] = realm;
        RealmKeyPairs.AddTo(content);
        return _client.SendAsync(HttpMethod.Post, "admin/realms", content, token);
    }

    public Task<JsonObject> GetRealmAsync(string realm, CancellationToken token) => GetAsync(Path(realm), token);

    /// <summary>Sets the fields given and leaves the others.</summary>
    public Task UpdateRealmAsync(string realm, JsonObject changes, CancellationToken token) => PutAsync(Path(realm), changes, token);

    public Task DeleteRealmAsync(string realm, CancellationToken token) => DeleteAsync(Path(realm), token);

    /// <summary>Creates a user with the user's password and returns the id; <paramref name="more"/> adds or replaces fields.</summary>
    public Task<string> CreateUserAsync(string realm, SandboxUser user, CancellationToken token, JsonObject? more = null)
    {
        var body = Representation(user);
        foreach (var (field, value) in more ?? [])
            body[field] = value?.DeepClone();
        return CreateAsync($"{Path(realm)}/users", body, token);
    }

    public async Task<JsonObject?> FindUserAsync(string realm, string username, CancellationToken token)
    {
        var found = await ListAsync($"{Path(realm)}/users?exact=true&username={Uri.EscapeDataString(username)}", token);
        return found.Count == 0 ? null : found[0]!.AsObject();
    }

    public Task UpdateUserAsync(string realm, string id, JsonObject changes, CancellationToken token) =>
        PutAsync(Path(realm, "users", id), changes, token);

    public Task DeleteUserAsync(string realm, string id, CancellationToken token) => DeleteAsync(Path(realm, "users", id), token);

    /// <summary>A page of the realm's users, in brief.</summary>
    public Task<JsonArray> ListUsersAsync(string realm, int first, int max, CancellationToken token) =>
        ListAsync($"{Path(realm)}/users?briefRepresentation=true&first={first}&max={max}", token);

    public async Task<int> CountUsersAsync(string realm, CancellationToken token) =>
        (await _client.SendAsync(HttpMethod.Get, $"{Path(realm)}/users/count", null, token)).Body!.GetValue<int>();

    /// <summary>Imports users into a realm.</summary>
    /// <param name="realm">Where they are added.</param>
    /// <param name="added">The users to add.</param>
    /// <param name="token">Cancels the call.</param>
    /// <param name="created">When the file says that they were created, in milliseconds since 1970; null when it does not say.</param>
    /// <param name="ifResourceExists">What an existing user name does: FAIL, SKIP or OVERWRITE.</param>
    public Task PartialImportAsync(
        string realm, IEnumerable<SandboxUser> added, CancellationToken token, long? created = null, string ifResourceExists = "FAIL")
    {
        JsonArray users = [.. added.Select(user => Imported(user, created))];
        return PostAsync(
            $"{Path(realm)}/partialImport", new JsonObject { ["ifResourceExists"] = ifResourceExists, ["users"] = users }, token);
    }

    /// <summary>Registers a webhook (Phase Two's keycloak-events) signed with HmacSHA256 and returns its id.</summary>
    public Task<string> CreateWebhookAsync(string realm, Uri url, string secret, IEnumerable<string> eventTypes, CancellationToken token)
    {
        JsonArray types = [.. eventTypes.Select(type => JsonValue.Create(type))];
        return CreateAsync($"realms/{Uri.EscapeDataString(realm)}/webhooks", new JsonObject
        {
            ["enabled"] = true,
            ["url"] = url.AbsoluteUri,
            ["secret"] = secret,
            ["algorithm"] = "HmacSHA256",
            ["eventTypes"] = types,
        }, token);
    }

    public Task DeleteWebhookAsync(string realm, string id, CancellationToken token) =>
        DeleteAsync($"realms/{Uri.EscapeDataString(realm)}/webhooks/{Uri.EscapeDataString(id)}", token);

    public Task<JsonObject> GetEventsConfigAsync(string realm, CancellationToken token) => GetAsync($"{Path(realm)}/events/config", token);

    /// <summary>Replaces the events configuration: what is not given is off.</summary>
    public Task UpdateEventsConfigAsync(string realm, JsonObject config, CancellationToken token) =>
        PutAsync($"{Path(realm)}/events/config", config, token);

    /// <summary>Wipes the stored events of users, and of administrators too.</summary>
    public async Task DeleteEventsAsync(string realm, CancellationToken token)
    {
        await DeleteAsync($"{Path(realm)}/events", token);
        await DeleteAsync($"{Path(realm)}/admin-events", token);
    }

    /// <summary>
    /// Makes <paramref name="providerRealm"/> of this server the identity provider <paramref name="alias"/> of <paramref name="realm"/>.
    /// </summary>
    /// <param name="realm">The realm that users sign in to.</param>
    /// <param name="alias">The provider's name in that realm.</param>
    /// <param name="providerRealm">Where they have their password; a client for the purpose is added to it.</param>
    /// <param name="token">Cancels the call.</param>
    /// <param name="syncMode">IMPORT takes a user's data at the first login only, FORCE at each.</param>
    public async Task AddIdentityProviderAsync(
        string realm, string alias, string providerRealm, CancellationToken token, string syncMode = "IMPORT")
    {
        var (clientId, secret) = ($"broker-{realm}-{alias}", Guid.NewGuid().ToString("n"));
        await CreateAsync($"{Path(providerRealm)}/clients", new JsonObject
        {
            ["clientId"] = clientId,
            ["secret"] = secret,
            ["publicClient"] = false,
            ["redirectUris"] = new JsonArray($"{server}realms/{realm}/broker/{alias}/endpoint*"),
        }, token);
        var provider = $"{server}realms/{providerRealm}";
        await CreateAsync($"{Path(realm)}/identity-provider/instances", new JsonObject
        {
            ["alias"] = alias,
            ["providerId"] = "oidc",
            ["enabled"] = true,
            ["config"] = new JsonObject
            {
                ["clientId"] = clientId,
                ["clientSecret"] = secret,
                ["clientAuthMethod"] = "client_secret_post",
                ["issuer"] = provider,
                ["authorizationUrl"] = $"{provider}/protocol/openid-connect/auth",
                ["tokenUrl"] = $"{provider}/protocol/openid-connect/token",
                ["userInfoUrl"] = $"{provider}/protocol/openid-connect/userinfo",
                ["jwksUrl"] = $"{provider}/protocol/openid-connect/certs",
                ["useJwksUrl"] = "true",
                ["validateSignature"] = "true",
                ["defaultScope"] = "openid profile email",
                ["syncMode"] = syncMode,
            },
        }, token);
    }

    /// <summary>Gives the service account of a client exactly these roles of a client, by default of realm-management.</summary>
    public async Task SetServiceAccountRolesAsync(
        string realm, string clientId, IEnumerable<string> roles, CancellationToken token, string rolesOf = "realm-management")
    {
        var account = await GetAsync(Path(realm, "clients", await ClientAsync(realm, clientId, token), "service-account-user"), token);
        var client = await ClientAsync(realm, rolesOf, token);
        var mappings = Path(realm, "users", account["id"]!.GetValue<string>(), "role-mappings", "clients", client);
        var known = await ListAsync(Path(realm, "clients", client, "roles"), token);
        JsonArray wanted = [.. roles.Select(role => RoleNamed(known, role))];

        await _client.SendAsync(HttpMethod.Delete, mappings, await ListAsync(mappings, token), token);
        await PostAsync(mappings, wanted, token);
    }

    public void Dispose() => _client.Dispose();

    private static JsonObject Representation(SandboxUser user) => new()
    {
        ["username"] = user.Username,
        ["email"] = user.Email,
        ["firstName"] = user.FirstName,
        ["lastName"] = user.LastName,
        ["enabled"] = true,
        ["credentials"] = new JsonArray(
            new JsonObject { ["type"] = "password", ["value"] = user.Password, ["temporary"] = false }),
    };

    private static JsonObject Imported(SandboxUser user, long? created)
    {
        var body = Representation(user);
        if (created is not null)
            body["createdTimestamp"] = created;
        return body;
    }

    private static JsonNode RoleNamed(JsonArray known, string name) =>
        known.FirstOrDefault(role => role!["name"]!.GetValue<string>() == name)?.DeepClone()
        ?? throw new ArgumentException($"The client has no role '{name}'.", nameof(name));

    private static string Path(params IEnumerable<string> segments) =>
        "admin/realms/" + string.Join('/', segments.Select(Uri.EscapeDataString));

    private async Task<string> ClientAsync(string realm, string clientId, CancellationToken token)
    {
        var found = await ListAsync($"{Path(realm)}/clients?clientId={Uri.EscapeDataString(clientId)}", token);
        return found.Count == 1
            ? found[0]!["id"]!.GetValue<string>()
            : throw new ArgumentException($"Realm '{realm}' has no client '{clientId}'.", nameof(clientId));
    }

    private async Task<JsonObject> GetAsync(string path, CancellationToken token) =>
        (await _client.SendAsync(HttpMethod.Get, path, null, token)).Body!.AsObject();

    private async Task<JsonArray> ListAsync(string path, CancellationToken token) =>
        (await _client.SendAsync(HttpMethod.Get, path, null, token)).Body!.AsArray();

    private async Task<string> CreateAsync(string path, JsonObject body, CancellationToken token) =>
        (await _client.SendAsync(HttpMethod.Post, path, body, token)).CreatedId;

    private async Task PostAsync(string path, JsonNode body, CancellationToken token) =>
        await _client.SendAsync(HttpMethod.Post, path, body, token);

    private async Task PutAsync(string path, JsonObject body, CancellationToken token) =>
        await _client.SendAsync(HttpMethod.Put, path, body, token);

    private async Task DeleteAsync(string path, CancellationToken token) =>
        await _client.SendAsync(HttpMethod.Delete, path, null, token);
}
