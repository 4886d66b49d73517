using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>A durable PostgreSQL of its own and an emulated Keycloak whose realm reports to the bridge's address.</summary>
internal sealed class FaultFixture : IAsyncDisposable
{
    public const string Realm = "demo";
    public const string Secret = "a-secret-of-this-test";

    private FaultFixture(PrivatePostgres postgres, EmulatedKeycloak keycloak, TestDatabase database)
    {
        (Postgres, Keycloak, Database) = (postgres, keycloak, database);
        Admin = KeycloakAdmin.Of(keycloak);
    }

    public PrivatePostgres Postgres { get; }

    public EmulatedKeycloak Keycloak { get; }

    public KeycloakAdmin Admin { get; }

    public TestDatabase Database { get; }

    public Uri BridgeUrl { get; } = NewUrl();

    public Dictionary<string, string> Settings => new(StringComparer.Ordinal)
    {
        ["Storage:ConnectionString"] = Database.ConnectionString,
        ["Keycloak:Url"] = Keycloak.Url.ToString(),
        ["Keycloak:ClientId"] = DemoRealm.ClientId,
        ["Keycloak:ClientSecret"] = Secret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Keycloak:Realms:0:WebhookSecrets:0"] = Secret,
        ["Hints:Lease"] = "00:00:02",
        ["Reconciliation:Cron"] = BridgeFixture.Never,
        ["Reconciliation:CompleteCron"] = BridgeFixture.Never,
    };

    /// <summary>Without poller and reconciliation, which would find users by themselves.</summary>
    public Dictionary<string, string> HintsOnly => new(Settings, StringComparer.Ordinal)
    {
        ["Intake:Poll:Enabled"] = "false",
        ["Reconciliation:Enabled"] = "false",
    };

    public static async Task<FaultFixture> CreateAsync()
    {
        var token = TestContext.Current.CancellationToken;
        var postgres = await PostgresFixture.StartOwnAsync();
        var database = new TestDatabase(await postgres.CreateDatabaseAsync("credits", token));
        var fixture = new FaultFixture(postgres, await EmulatedKeycloak.StartAsync(new EmulatorOptions(), token), database);
        await fixture.Admin.ImportRealmAsync(Realm, DemoRealm.Json(Secret, webhooks: true), token);
        await fixture.Admin.CreateWebhookAsync(Realm, new Uri(fixture.BridgeUrl, $"webhooks/keycloak/{Realm}"), Secret, ["*"], token);
        return fixture;
    }

    /// <summary>An address for another replica, to which nothing is reported.</summary>
    public static Uri NewUrl() => new($"http://127.0.0.1:{FreePort.Next()}/");

    public Task<string> CreateUserAsync(string name) =>
        Admin.CreateUserAsync(Realm, new SandboxUser(name, $"{name}@example.com"), TestContext.Current.CancellationToken);

    public Task<int> AccountsAsync() => Database.ScalarAsync<int>("select count(*)::int from user_credits");

    /// <summary>How many rows a table has, or those of it behind `where`.</summary>
    public Task<int> CountAsync(string rows) => Database.ScalarAsync<int>($"select count(*)::int from {rows}");

    /// <summary>The settings in the form that allows values to be absent.</summary>
    public static Dictionary<string, string?> Optional(Dictionary<string, string> settings) =>
        settings.ToDictionary(setting => setting.Key, string? (setting) => setting.Value, StringComparer.OrdinalIgnoreCase);

    public Task<int> HintsAsync() => Database.ScalarAsync<int>("select count(*)::int from user_hints");

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        Admin.Dispose();
        await Keycloak.DisposeAsync();
        await Postgres.DisposeAsync();
    }
}
