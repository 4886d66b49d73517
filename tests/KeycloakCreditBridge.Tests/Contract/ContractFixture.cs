using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>How the bridge of a fixture hears of users. Servers without the webhook plugin are only ever polled.</summary>
internal enum EventDelivery
{
    WebhooksAndPolling,
    Webhooks,
    Polling,
    Nothing,
}

/// <summary>A realm of its own on a shared server, a migrated database of its own, and the whole bridge between them.</summary>
internal sealed class ContractFixture : IAsyncDisposable
{
    public const string Secret = "a-secret-of-this-test";

    private readonly IKeycloakServer _server;
    private readonly EventDelivery _hearing;
    private BridgeFixture? _bridge;

    private const string PolledSql =
        """
        select not exists (select from user_hints where keycloak_id = @Id) and exists (
            select from poll_cursors p join keycloak_users k using (realm)
            where k.keycloak_id = @Id and p.stream = 'admin-events' and p.watermark >= k.created_at)
        """;

    private ContractFixture(IKeycloakServer server, TestDatabase database, EventDelivery hearing)
    {
        (_server, Database, _hearing) = (server, database, hearing);
        Features = new RealmFeatures(server, Realm);
        Assignments = new RealmAssignments(server, Realm);
        Admin = KeycloakAdmin.Of(server);
        Browser = new KeycloakBrowser(server.Url);
    }

    public string Realm { get; } = $"contract-{Guid.NewGuid():n}";

    public Uri KeycloakUrl => _server.Url;

    public KeycloakAdmin Admin { get; }

    public KeycloakBrowser Browser { get; }

    public RealmFeatures Features { get; }

    public RealmAssignments Assignments { get; }

    /// <summary>The realm where it is the emulator's, to make happen what no call of Keycloak does; null on real servers.</summary>
    public EmulatedRealm? Emulated => (_server as EmulatedKeycloak)?.Realm(Realm);

    public TestDatabase Database { get; }

    public Uri BridgeUrl { get; } = new($"http://127.0.0.1:{FreePort.Next()}/");

    /// <summary>What bridges that are started from now on take for the time.</summary>
    public TimeProvider Clock { get; set; } = TimeProvider.System;

    public bool HasBridge => _bridge is not null;

    public BridgeFixture Bridge => _bridge ?? throw new InvalidOperationException("The bridge is not running.");

    /// <summary>What a bridge of this fixture is configured with. Its scheduled reconciliation never comes.</summary>
    public Dictionary<string, string> Settings => new(StringComparer.OrdinalIgnoreCase)
    {
        ["Urls"] = BridgeUrl.ToString(),
        ["Storage:ConnectionString"] = Database.ConnectionString,
        ["Keycloak:Url"] = _server.Url.ToString(),
        ["Keycloak:ClientId"] = DemoRealm.ClientId,
        ["Keycloak:ClientSecret"] = Secret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Keycloak:Realms:0:WebhookSecrets:0"] = Secret,
        ["Intake:Poll:Enabled"] = _hearing is EventDelivery.Polling or EventDelivery.WebhooksAndPolling ? "true" : "false",
        ["Intake:Poll:IdleInterval"] = "00:00:01",
        ["Intake:Poll:BusyInterval"] = "00:00:00.2",
        // On a machine with much work an event may appear later than a poll between sweeps reads back.
        ["Intake:Poll:SweepInterval"] = "00:00:05",
        ["Reconciliation:Cron"] = "0 0 0 1 1 ? 2099",
        ["Reconciliation:CompleteCron"] = "0 0 0 1 1 ? 2099",
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Makes realm and database and starts no bridge.</summary>
    public static async Task<ContractFixture> CreateAsync(
        KeycloakFixture servers, PostgresFixture postgres, KeycloakKind kind, EventDelivery hearing = EventDelivery.WebhooksAndPolling) =>
        await CreateAsync(await servers.GetAsync(kind), postgres, hearing);

    /// <summary>The same on a server of the test's own, and with users in the realm's file.</summary>
    public static async Task<ContractFixture> CreateAsync(
        IKeycloakServer server, PostgresFixture postgres, EventDelivery hearing = EventDelivery.WebhooksAndPolling, params string[] users)
    {
        var fixture = new ContractFixture(server, await postgres.CreateDatabaseAsync(), hearing);
        var file = JsonNode.Parse(DemoRealm.Json(Secret, server.SendsWebhooks))!;
        foreach (var name in users)
            file["users"]!.AsArray().Add(new JsonObject { ["username"] = name, ["email"] = Named(name).Email, ["enabled"] = true });
        await fixture.Admin.ImportRealmAsync(fixture.Realm, file.ToJsonString(), Token);
        if (server.SendsWebhooks && hearing is EventDelivery.Webhooks or EventDelivery.WebhooksAndPolling)
            await fixture.AddWebhookAsync(fixture.BridgeUrl);
        return fixture;
    }

    /// <summary>Has the realm report to a bridge.</summary>
    public Task AddWebhookAsync(Uri bridge) =>
        Admin.CreateWebhookAsync(Realm, new Uri(bridge, $"webhooks/keycloak/{Realm}"), Secret, ["*"], Token);

    /// <summary>
    /// Starts the bridge and returns when it is ready and its first reconciliation is over, so that only what comes later is new.
    /// </summary>
    public async Task StartBridgeAsync(params (string Key, string? Value)[] more)
    {
        await LaunchBridgeAsync(more);
        await Eventually.TrueAsync(IsReadyAsync, "the bridge is ready");
        await Eventually.TrueAsync(
            () => Database.ScalarAsync<bool>("select exists (select from reconcile_runs where status = 'done')"),
            "the first reconciliation is over");
    }

    /// <summary>Starts the bridge and does not wait.</summary>
    public async Task LaunchBridgeAsync(params (string Key, string? Value)[] more) => _bridge = await StartAnotherBridgeAsync(more);

    /// <summary>Starts a bridge that the caller has to end.</summary>
    public Task<BridgeFixture> StartAnotherBridgeAsync(params (string Key, string? Value)[] more) =>
        BridgeFixture
            .Build(Settings.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.OrdinalIgnoreCase), Clock, more)
            .StartAsync();

    public async Task StopBridgeAsync()
    {
        if (_bridge is null)
            return;
        await _bridge.StopAsync();
        await _bridge.DisposeAsync();
        _bridge = null;
    }

    public async Task<bool> IsReadyAsync()
    {
        using var answer = await Bridge.GetAsync("health/ready");
        return answer.IsSuccessStatusCode;
    }

    /// <summary>Creates a user as an administrator and returns the id.</summary>
    public Task<string> CreateUserAsync(string name) => Admin.CreateUserAsync(Realm, Named(name), Token);

    /// <summary>
    /// Creates a user as an administrator and returns the id when the bridge has heard of it by every way there is, and so of all that
    /// happened before.
    /// </summary>
    public async Task<string> CreateKnownAsync(string name)
    {
        var id = await CreateUserAsync(name);
        await Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll);
        await WaitForPolledCreationAsync(id);
        return id;
    }

    /// <summary>Waits until a user's creation was polled and evaluated too: a later evaluation is not owed to the slower way.</summary>
    public async Task WaitForPolledCreationAsync(string id)
    {
        if (_hearing is EventDelivery.Polling or EventDelivery.WebhooksAndPolling)
            await Eventually.TrueAsync(() => Database.ScalarAsync<bool>(PolledSql, new { Id = id }), "the creation was polled");
    }

    /// <summary>Reconciles the realm as a command would.</summary>
    public async Task ReconcileAsync()
    {
        ReconcileOutcome? outcome = null;
        // The bridge's own first run may be at work.
        await Eventually.TrueAsync(
            async () =>
            {
                outcome = await Bridge.Services.GetRequiredService<Reconciler>().RunAsync(
                    new RunRequest(Realm, RunTriggers.Command), new Progress<ReconcileProgress>(), Token);
                return outcome.Status != ReconcileStatus.AlreadyRunning;
            },
            "the realm is free to be reconciled");
        Assert.Equal((ReconcileStatus.Done, null), (outcome!.Status, outcome.Reason));
    }

    /// <summary>Waits until the bridge evaluates a user again.</summary>
    /// <param name="id">The user's id.</param>
    /// <param name="after">What <see cref="CheckedAtAsync"/> said before.</param>
    public Task WaitForReevaluationAsync(string id, DateTime after) =>
        Eventually.TrueAsync(async () => await CheckedAtAsync(id) > after, "the user is evaluated again");

    public Task<DateTime> CheckedAtAsync(string id) =>
        Database.ScalarAsync<DateTime>("select checked_at from keycloak_users where keycloak_id = @Id", new { Id = id });

    public Task UpdateUserAsync(string id, JsonObject changes) => Admin.UpdateUserAsync(Realm, id, changes, Token);

    public async Task<string> IdOfAsync(string name) =>
        (await Admin.FindUserAsync(Realm, name, Token))?["id"]?.GetValue<string>()
        ?? throw new InvalidOperationException($"Keycloak does not have {name}.");

    // The realm stays: it goes with the server, and a real one takes its time to remove it.
    public async ValueTask DisposeAsync()
    {
        await StopBridgeAsync();
        Admin.Dispose();
        Features.Dispose();
        Assignments.Dispose();
        await Database.DisposeAsync();
    }

    public static SandboxUser Named(string name) => new(name, $"{name}@example.com");
}
