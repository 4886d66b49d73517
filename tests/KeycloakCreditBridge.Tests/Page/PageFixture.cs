using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Page;

/// <summary>The bridge with the operator page on, a realm of operators and another one, on the emulator.</summary>
internal sealed class PageFixture : IAsyncDisposable
{
    public const string Realm = "demo";
    public const string Other = "shop";
    public const string Admin = "anna";
    public const string Viewer = "bert";
    public const string Without = "carl";
    public const string AdminOfOther = "dora";
    public const string ViewerOfAll = "emma";
    public const string AdminOfAll = "fred";

    private readonly List<PageBrowser> _browsers = [];

    private PageFixture(EmulatedKeycloak keycloak, TestDatabase database, BridgeFixture bridge) =>
        (Keycloak, Database, Bridge) = (keycloak, database, bridge);

    public EmulatedKeycloak Keycloak { get; }

    public TestDatabase Database { get; }

    public BridgeFixture Bridge { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<PageFixture> StartAsync(PostgresFixture postgres, params (string Key, string? Value)[] more)
    {
        var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(SendsWebhooks: false), Token);
        var database = await postgres.CreateDatabaseAsync();
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync(
            Realm,
            DemoRealm.JsonWithPage(
                BridgeFixture.Secret, webhooks: false, url, (User(Admin), ["credits-admin"]), (User(Viewer), ["credits-viewer"]),
                (User(Without), []), (User(AdminOfOther), [$"credits-admin@{Other}"]),
                (User(ViewerOfAll), ["credits-viewer", $"credits-viewer@{Other}"]),
                (User(AdminOfAll), ["credits-admin", $"credits-admin@{Other}"])),
            Token);
        await admin.ImportRealmAsync(Other, DemoRealm.Json(BridgeFixture.Secret, webhooks: false), Token);
        var fixture = new PageFixture(keycloak, database, await StartBridgeAsync(keycloak, database, url, more));
        return fixture;
    }

    /// <summary>The settings of a bridge with the page.</summary>
    public static Dictionary<string, string?> Settings(TestDatabase database, Uri keycloak, Uri page, Uri listens)
    {
        var settings = BridgeFixture.Settings(database.ConnectionString, keycloak);
        settings["Urls"] = listens.ToString();
        settings["Keycloak:Realms:1:Name"] = Other;
        settings["Page:Enabled"] = "true";
        settings["Page:Url"] = page.ToString();
        settings["Page:ClientSecret"] = BridgeFixture.Secret;
        settings["Page:KeysSecret"] = new string('k', 32);
        return settings;
    }

    /// <summary>A browser that is not signed in.</summary>
    public PageBrowser NewBrowser()
    {
        var browser = new PageBrowser(Bridge.Url);
        _browsers.Add(browser);
        return browser;
    }

    public async Task<PageBrowser> SignedInAsync(string username)
    {
        var browser = NewBrowser();
        await browser.SignInAsync(username);
        return browser;
    }

    /// <summary>Another replica on the same database; browsers reach it at an address of its own.</summary>
    public Task<BridgeFixture> StartReplicaAsync() => StartBridgeAsync(
        Keycloak, Database, new Uri($"http://127.0.0.1:{FreePort.Next()}/"), [("Page:Url", Bridge.Url.ToString())]);

    /// <summary>A user of the realm with an account, as a backfill opens it.</summary>
    public async Task<string> AddUserAsync(string realm = Realm, string? id = null, string? name = null)
    {
        var user = new EmulatedUser(id ?? EmulatedUser.NewId(), name ?? $"user-{Guid.NewGuid():n}");
        Keycloak.Realm(realm).AddUser(user);
        var browser = await SignedInAsync(realm == Realm ? Admin : AdminOfOther);
        await browser.PostAsync($"/page/accounts/{realm}/{Uri.EscapeDataString(user.Id)}/ask");
        await Eventually.TrueAsync(
            () => Database.ScalarAsync<bool>("select exists (select from user_credits where keycloak_id = @Id)", new { user.Id }),
            "the user has an account");
        return user.Id;
    }

    public async ValueTask DisposeAsync()
    {
        _browsers.ForEach(browser => browser.Dispose());
        await Bridge.DisposeAsync();
        await Database.DisposeAsync();
        await Keycloak.DisposeAsync();
    }

    private static SandboxUser User(string name) => new(name, $"{name}@example.com");

    private static async Task<BridgeFixture> StartBridgeAsync(
        EmulatedKeycloak keycloak, TestDatabase database, Uri url, (string Key, string? Value)[] more)
    {
        var bridge = await BridgeFixture.Build(Settings(database, keycloak.Url, url, url), more).StartAsync();
        await bridge.Services.GetRequiredService<SchemaGate>().WaitAsync(Token);
        return bridge;
    }
}
