using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Keycloak;

/// <summary>
/// The administrator's side of a Keycloak, over its REST API with the token of the master realm's administrator.
/// A call that fails throws <see cref="HttpRequestException"/> with method, path, status and body.
/// </summary>
internal sealed class KeycloakAdmin(Uri server, string user, string password, TimeProvider clock) : IDisposable
{
    public static KeycloakAdmin Of(IKeycloakServer server) =>
        new(server.Url, server.AdminUser, server.AdminPassword, TimeProvider.System);

    /// <summary>Creates a realm from an export file's text, under <paramref name="realm"/> whatever name the file has.</summary>
    public Task ImportRealmAsync(string realm, string realmJson, CancellationToken token) => Later(realm, realmJson, token);

    public Task<JsonObject> GetRealmAsync(string realm, CancellationToken token) => Later(realm, token);

    /// <summary>Sets the fields given and leaves the others.</summary>
    public Task UpdateRealmAsync(string realm, JsonObject changes, CancellationToken token) => Later(realm, changes, token);

    public Task DeleteRealmAsync(string realm, CancellationToken token) => Later(realm, token);

    /// <summary>Creates a user with the person's password and returns its id; <paramref name="more"/> adds or replaces fields.</summary>
    public Task<string> CreateUserAsync(string realm, Person person, CancellationToken token, JsonObject? more = null) =>
        LaterText(realm, person, token, more);

    public Task<JsonObject?> FindUserAsync(string realm, string username, CancellationToken token) => LaterOrNull(realm, username, token);

    public Task UpdateUserAsync(string realm, string id, JsonObject changes, CancellationToken token) => Later(realm, id, changes, token);

    public Task DeleteUserAsync(string realm, string id, CancellationToken token) => Later(realm, id, token);

    public Task<int> CountUsersAsync(string realm, CancellationToken token) => Task.FromResult(Later(realm, token).Id);

    /// <summary>Imports users into a realm; an existing user name fails the import.</summary>
    public Task PartialImportAsync(string realm, IEnumerable<Person> people, CancellationToken token) => Later(realm, people, token);

    /// <summary>Registers a webhook (Phase Two's keycloak-events) signed with HmacSHA256 and returns its id.</summary>
    public Task<string> CreateWebhookAsync(string realm, Uri url, string secret, IEnumerable<string> eventTypes, CancellationToken token) =>
        LaterText(realm, url, secret, eventTypes, token);

    public Task DeleteWebhookAsync(string realm, string id, CancellationToken token) => Later(realm, id, token);

    public Task<JsonObject> GetEventsConfigAsync(string realm, CancellationToken token) => Later(realm, token);

    /// <summary>Replaces the events configuration: what is not given is off.</summary>
    public Task UpdateEventsConfigAsync(string realm, JsonObject config, CancellationToken token) => Later(realm, config, token);

    /// <summary>Wipes the stored events of users, and of administrators too.</summary>
    public Task DeleteEventsAsync(string realm, CancellationToken token) => Later(realm, token);

    /// <summary>Lets people of <paramref name="providerRealm"/> (same server) sign in to <paramref name="realm"/> as identity provider <paramref name="alias"/>.</summary>
    public Task AddIdentityProviderAsync(string realm, string alias, string providerRealm, CancellationToken token) =>
        Later(realm, alias, providerRealm, token);

    /// <summary>Gives the service account of a client exactly these realm-management roles.</summary>
    public Task SetServiceAccountRolesAsync(string realm, string clientId, IEnumerable<string> roles, CancellationToken token) =>
        Later(realm, clientId, roles, token);

    public void Dispose()
    {
    }

    private Task<JsonObject> Later(params object?[] arguments) =>
        throw new NotSupportedException($"{server}{user}{password}{clock}{arguments.Length}");

    private async Task<string> LaterText(params object?[] arguments) => (await Later(arguments)).ToJsonString();

    private async Task<JsonObject?> LaterOrNull(params object?[] arguments) => await Later(arguments);
}
