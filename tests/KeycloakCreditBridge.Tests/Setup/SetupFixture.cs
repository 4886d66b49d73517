using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Setup;

/// <summary>
/// A realm that knows nothing of the bridge, a migrated database, and the settings that a bridge between them would have.
/// </summary>
internal sealed class SetupFixture : IAsyncDisposable
{
    public const string ClientSecret = "client-secret-zq7w";
    public const string WebhookSecret = "webhook-secret-zq7w";
    public const string ClientId = "credit-bridge";

    private readonly AdministratorClient _session;

    private SetupFixture(IKeycloakServer server, TestDatabase database)
    {
        (Server, Database) = (server, database);
        Admin = KeycloakAdmin.Of(server);
        _session = new AdministratorClient(server.Url, server.AdminUser, server.AdminPassword, TimeProvider.System);
    }

    public IKeycloakServer Server { get; }

    public TestDatabase Database { get; }

    public KeycloakAdmin Admin { get; }

    public string Realm { get; private init; } = $"setup-{Guid.NewGuid():n}";

    /// <summary>Settings beside those of every fixture, or in their place.</summary>
    public Dictionary<string, string?> More { get; } = new(StringComparer.OrdinalIgnoreCase);

    public Uri BridgeUrl { get; } = new($"http://127.0.0.1:{FreePort.Next()}");

    public string WebhookUrl => $"{BridgeUrl}webhooks/keycloak/{Uri.EscapeDataString(Realm)}";

    public Dictionary<string, string?> Settings
    {
        get
        {
            var settings = Usual;
            foreach (var (key, value) in More)
                settings[key] = value;
            return settings;
        }
    }

    private Dictionary<string, string?> Usual => new(StringComparer.OrdinalIgnoreCase)
    {
        ["Urls"] = BridgeUrl.ToString(),
        ["Storage:ConnectionString"] = Database.ConnectionString,
        ["Keycloak:Url"] = Server.Url.ToString(),
        ["Keycloak:ClientSecret"] = ClientSecret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Keycloak:Realms:0:WebhookSecrets:0"] = WebhookSecret,
        ["Reconciliation:Cron"] = "0 0 0 1 1 ? 2099",
        ["Reconciliation:CompleteCron"] = "0 0 0 1 1 ? 2099",
        ["KEYCLOAK_ADMIN_PASSWORD"] = Server.AdminPassword,
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="more">Fields of the realm beside those that are never the default.</param>
    public static async Task<SetupFixture> CreateAsync(
        KeycloakFixture servers, PostgresFixture postgres, KeycloakKind kind, JsonObject? more = null, string? name = null) =>
        await CreateAsync(await servers.GetAsync(kind), postgres, more, name);

    /// <summary>A realm that is there already.</summary>
    public static async Task<SetupFixture> OfRealmAsync(IKeycloakServer server, PostgresFixture postgres, string name) =>
        new(server, await postgres.CreateDatabaseAsync()) { Realm = name };

    public static async Task<SetupFixture> CreateAsync(
        IKeycloakServer server, PostgresFixture postgres, JsonObject? more = null, string? name = null)
    {
        var fixture = await OfRealmAsync(server, postgres, name ?? $"setup-{Guid.NewGuid():n}");
        // Each of these is kept in another way, and a careless write puts it back to its default.
        var realm = JsonNode.Parse(
            """
            {
                "enabled": true, "displayName": "Shop", "bruteForceProtected": true, "failureFactor": 7, "oauth2DeviceCodeLifespan": 99,
                "actionTokenGeneratedByUserLifespan": 77, "clientSessionIdleTimeout": 55,
                "browserSecurityHeaders": { "xFrameOptions": "DENY" },
                "smtpServer": { "host": "mail.example.com", "from": "shop@example.com" }, "attributes": { "custom": "x" }
            }
            """)!.AsObject();
        foreach (var (field, value) in more ?? [])
            realm[field] = value?.DeepClone();
        await fixture.Admin.ImportRealmAsync(fixture.Realm, realm.ToJsonString(), Token);
        return fixture;
    }

    /// <summary>Runs `setup keycloak` as the administrator.</summary>
    public Task<(int ExitCode, string Output, string Error)> SetupAsync(params string[] more) =>
        CommandProcess.RunAsync(
            Settings, ["setup", "keycloak", "--admin-user", Server.AdminUser, "--webhook-url", BridgeUrl.ToString(), .. more]);

    public Task<(int ExitCode, string Output, string Error)> DoctorAsync(params string[] more) =>
        CommandProcess.RunAsync(Settings, ["doctor", "--webhook-url", BridgeUrl.ToString(), .. more]);

    public async Task<JsonNode?> SendAsync(HttpMethod method, string path, JsonNode? body = null) =>
        (await _session.SendAsync(method, path, body, Token)).Body;

    /// <summary>What Keycloak says of the realm, its events, clients, webhooks and role mappings; lists are sorted.</summary>
    public async Task<JsonObject> ReadStateAsync()
    {
        var clients = (await SendAsync(HttpMethod.Get, $"admin/realms/{Realm}/clients"))!.AsArray();
        var look = new JsonObject
        {
            ["realm"] = await Admin.GetRealmAsync(Realm, Token),
            ["config"] = await Admin.GetEventsConfigAsync(Realm, Token),
            ["clients"] = new JsonArray(
                [.. clients.OrderBy(client => (string?)client!["clientId"], StringComparer.Ordinal).Select(client => client!.DeepClone())]),
            ["webhooks"] = Server.SendsWebhooks ? await SendAsync(HttpMethod.Get, $"realms/{Realm}/webhooks") : new JsonArray(),
            ["roles"] = await RolesAsync(clients),
        };
        return Sorted(look).AsObject();
    }

    public async ValueTask DisposeAsync()
    {
        _session.Dispose();
        Admin.Dispose();
        await Database.DisposeAsync();
    }

    private async Task<JsonNode?> RolesAsync(JsonArray clients)
    {
        string? Id(string clientId) => (string?)clients.FirstOrDefault(client => (string?)client!["clientId"] == clientId)?["id"];
        if (Id(ClientId) is not { } client)
            return null;
        var account = await SendAsync(HttpMethod.Get, $"admin/realms/{Realm}/clients/{client}/service-account-user");
        var mapped = await SendAsync(
            HttpMethod.Get, $"admin/realms/{Realm}/users/{account!["id"]}/role-mappings/clients/{Id("realm-management")}");
        return new JsonArray([.. mapped!.AsArray().Select(role => role!["name"]!.DeepClone())]);
    }

    private static JsonNode Sorted(JsonNode node) => node switch
    {
        JsonObject fields => new JsonObject(fields
            .OrderBy(field => field.Key, StringComparer.Ordinal)
            .Select(field => KeyValuePair.Create(field.Key, field.Value is null ? null : Sorted(field.Value)))),
        JsonArray items when items.All(item => item is JsonValue) =>
            new JsonArray([.. items.Select(item => item!.DeepClone()).OrderBy(item => item.ToString(), StringComparer.Ordinal)]),
        JsonArray items => new JsonArray([.. items.Select(item => item is null ? null : Sorted(item))]),
        _ => node.DeepClone(),
    };
}
