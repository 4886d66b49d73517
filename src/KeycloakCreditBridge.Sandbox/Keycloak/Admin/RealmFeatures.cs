using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Admin;

/// <summary>Switches on, in a realm, what a fresh one does not have. Failures are those of <see cref="KeycloakAdmin"/>.</summary>
internal sealed class RealmFeatures(IKeycloakServer server, string realm) : IDisposable
{
    private readonly AdministratorClient _client = new(server.Url, server.AdminUser, server.AdminPassword, TimeProvider.System);

    /// <summary>Clears the users that the server keeps from earlier reads of its database.</summary>
    public Task ClearUserCacheAsync(CancellationToken token) => SendAsync(HttpMethod.Post, "clear-user-cache", new JsonObject(), token);

    /// <summary>Sets the SMTP server on 127.0.0.1 that mails are sent to.</summary>
    public Task SetMailServerAsync(int port, CancellationToken token) => UpdateRealmAsync(
        new JsonObject
        {
            ["smtpServer"] = new JsonObject { ["host"] = "127.0.0.1", ["port"] = $"{port}", ["from"] = "keycloak@example.com" },
        },
        token);

    /// <summary>Sets fields of the realm.</summary>
    public async Task UpdateRealmAsync(JsonObject fields, CancellationToken token) => await SendAsync(HttpMethod.Put, "", fields, token);

    /// <summary>Lets a user delete their own account.</summary>
    public async Task AllowAccountDeletionAsync(string userId, CancellationToken token)
    {
        await EnableActionAsync("delete_account", forNewUsers: false, token);
        var account = await ClientAsync("account", token);
        var role = await GetAsync($"clients/{account}/roles/delete-account", token);
        await SendAsync(HttpMethod.Post, $"users/{userId}/role-mappings/clients/{account}", new JsonArray(role.DeepClone()), token);
    }

    /// <summary>Makes the registration form ask for a passkey instead of a password.</summary>
    public async Task RegisterByPasskeyAsync(CancellationToken token)
    {
        const string Executions = "authentication/flows/registration/executions";
        foreach (var execution in (await GetAsync(Executions, token)).AsArray())
        {
            if ((string?)execution!["providerId"] is not "registration-password-action")
                continue;
            execution["requirement"] = "DISABLED";
            await SendAsync(HttpMethod.Put, Executions, execution, token);
        }

        await EnableActionAsync("webauthn-register-passwordless", forNewUsers: true, token);
    }

    /// <summary>Creates an organisation and returns its id.</summary>
    public async Task<string> AddOrganizationAsync(string name, CancellationToken token)
    {
        await UpdateRealmAsync(new JsonObject { ["organizationsEnabled"] = true }, token);
        var body = new JsonObject
        {
            ["name"] = name, ["enabled"] = true, ["domains"] = new JsonArray(new JsonObject { ["name"] = $"{name}.example.com" }),
        };
        return await SendAsync(HttpMethod.Post, "organizations", body, token);
    }

    /// <summary>Makes a user a member of an organisation.</summary>
    public Task AddMemberAsync(string organization, string userId, CancellationToken token) =>
        SendAsync(HttpMethod.Post, $"organizations/{organization}/members", JsonValue.Create(userId), token);

    /// <summary>Adds a workflow that begins with an event.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="on">Such as `user-created`.</param>
    /// <param name="steps">What it does, in order.</param>
    /// <param name="token">Cancels the call.</param>
    public Task AddWorkflowAsync(string name, string on, JsonArray steps, CancellationToken token) =>
        SendAsync(HttpMethod.Post, "workflows", new JsonObject { ["name"] = name, ["on"] = on, ["steps"] = steps }, token);

    /// <summary>Sends an invitation to an address, which need not be a user's.</summary>
    public Task InviteAsync(string organization, string email, CancellationToken token) => _client.SendFormAsync(
        $"{Path("organizations")}/{organization}/members/invite-user", new Dictionary<string, string> { ["email"] = email }, token);

    /// <summary>Adds an LDAP directory whose users are inetOrgPersons below <paramref name="usersDn"/>, named by uid.</summary>
    /// <param name="url">Its address, for example ldap://127.0.0.1:389.</param>
    /// <param name="usersDn">The distinguished name that they are below.</param>
    /// <param name="import">Whether Keycloak stores the users that it has seen.</param>
    /// <param name="token">Cancels the call.</param>
    public async Task AddDirectoryAsync(Uri url, string usersDn, bool import, CancellationToken token)
    {
        var parent = (string)(await GetAsync("", token))["id"]!;
        var config = new Dictionary<string, string>
        {
            ["enabled"] = "true", ["priority"] = "0", ["editMode"] = "READ_ONLY", ["vendor"] = "other",
            ["importEnabled"] = import ? "true" : "false", ["syncRegistrations"] = "false", ["cachePolicy"] = "NO_CACHE",
            ["connectionUrl"] = url.AbsoluteUri.TrimEnd('/'), ["usersDn"] = usersDn, ["authType"] = "none", ["searchScope"] = "1",
            ["usernameLDAPAttribute"] = "uid", ["rdnLDAPAttribute"] = "uid", ["uuidLDAPAttribute"] = "entryUUID",
            ["userObjectClasses"] = "inetOrgPerson", ["pagination"] = "true",
            ["fullSyncPeriod"] = "-1", ["changedSyncPeriod"] = "-1", ["batchSizeForSync"] = "100",
        };
        await SendAsync(HttpMethod.Post, "components", new JsonObject
        {
            ["name"] = "directory",
            ["providerId"] = "ldap",
            ["providerType"] = "org.keycloak.storage.UserStorageProvider",
            ["parentId"] = parent,
            ["config"] = new JsonObject(
                config.Select(setting => KeyValuePair.Create<string, JsonNode?>(setting.Key, new JsonArray(setting.Value)))),
        }, token);
    }

    /// <summary>Adds a client for the realm's SCIM interface, which has to be switched on in the server. It still needs roles.</summary>
    public async Task AddScimClientAsync(string clientId, string secret, CancellationToken token)
    {
        await UpdateRealmAsync(new JsonObject { ["scimApiEnabled"] = true }, token);
        var audience = new JsonObject
        {
            ["name"] = "scim",
            ["protocol"] = "openid-connect",
            ["protocolMapper"] = "oidc-audience-mapper",
            ["config"] =
                new JsonObject { ["included.custom.audience"] = $"{server.Url}realms/{realm}/scim/v2", ["access.token.claim"] = "true" },
        };
        await SendAsync(HttpMethod.Post, "clients", new JsonObject
        {
            ["clientId"] = clientId,
            ["secret"] = secret,
            ["serviceAccountsEnabled"] = true,
            ["fullScopeAllowed"] = true,
            ["protocolMappers"] = new JsonArray(audience),
        }, token);
    }

    public void Dispose() => _client.Dispose();

    private async Task EnableActionAsync(string action, bool forNewUsers, CancellationToken token)
    {
        var path = $"authentication/required-actions/{action}";
        var settings = await GetAsync(path, token);
        settings["enabled"] = true;
        settings["defaultAction"] = forNewUsers;
        await SendAsync(HttpMethod.Put, path, settings, token);
    }

    private async Task<string> ClientAsync(string clientId, CancellationToken token) =>
        (string)(await GetAsync($"clients?clientId={clientId}", token))[0]!["id"]!;

    private async Task<JsonNode> GetAsync(string path, CancellationToken token) =>
        (await _client.SendAsync(HttpMethod.Get, Path(path), null, token)).Body!;

    private async Task<string> SendAsync(HttpMethod method, string path, JsonNode body, CancellationToken token) =>
        (await _client.SendAsync(method, Path(path), body, token)).CreatedId;

    private string Path(string rest) => $"admin/realms/{realm}/{rest}".TrimEnd('/');
}
