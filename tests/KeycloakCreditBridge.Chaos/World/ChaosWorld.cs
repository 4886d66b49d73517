using System.Text.Json.Nodes;
using KeycloakCreditBridge.Chaos.Proxies;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Sandbox.Proxies;
using Npgsql;

namespace KeycloakCreditBridge.Chaos.World;

/// <summary>A whole system on this machine: PostgreSQL, Keycloak and two bridge processes, each behind a proxy.</summary>
internal sealed class ChaosWorld : IAsyncDisposable
{
    public const string Realm = "demo";
    public const string ProviderRealm = "partner";
    public const string Provider = "partner";
    public const string Caller = "chaos";

    private const string DatabaseName = "credits";
    private const int MaxConnections = 400;

    private readonly string _webhookSecret = Guid.NewGuid().ToString("N");
    private readonly string _accountId;
    private readonly string? _previous;
    private HttpProxy? _keycloakProxy;

    private ChaosWorld(PrivatePostgres postgres, IKeycloakServer keycloak, string accountId, string? previous)
    {
        (_accountId, _previous) = (accountId, previous);
        (Postgres, Keycloak, Admin) = (postgres, keycloak, KeycloakAdmin.Of(keycloak));
        DataSource = NpgsqlDataSource.Create(postgres.ConnectionString(DatabaseName) + ";Command Timeout=120");
    }

    public PrivatePostgres Postgres { get; }

    public IKeycloakServer Keycloak { get; }

    public KeycloakAdmin Admin { get; }

    public NpgsqlDataSource DataSource { get; }

    public KeycloakFaults KeycloakFaults { get; } = new();

    public WebhookRelay Webhooks { get; private set; } = null!;

    public EventSink Sink { get; private set; } = null!;

    public IReadOnlyList<Replica> Replicas { get; private set; } = [];

    public string ClientSecret { get; } = Guid.NewGuid().ToString("N");

    public string GatewayKey { get; } = Guid.NewGuid().ToString("N");

    /// <summary>One fault of PostgreSQL at a time.</summary>
    public SemaphoreSlim DatabaseTurn { get; } = new(1, 1);

    /// <param name="isReal">Whether Keycloak is a real one.</param>
    /// <param name="accountId">The setting of that name.</param>
    /// <param name="previous">A program of a release before, which the second replica runs; null for two equal ones.</param>
    /// <param name="report">Takes a line about what is started.</param>
    /// <param name="token">Ends the start.</param>
    public static async Task<ChaosWorld> StartAsync(
        bool isReal, string accountId, string? previous, Action<string> report, CancellationToken token)
    {
        var postgres = await PrivatePostgres.StartAsync(
            new PrivatePostgresOptions(CacheFolder.Of("postgres"), MaxConnections: MaxConnections, Report: report), token);
        await postgres.CreateDatabaseAsync(DatabaseName, token);
        var world = new ChaosWorld(postgres, await StartKeycloakAsync(isReal, report, token), accountId, previous);
        try
        {
            await world.StartAsync(token);
            report($"PostgreSQL 127.0.0.1:{postgres.Port}, {world.Keycloak.Description}, two bridges");
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in Replicas)
            await replica.DisposeAsync();
        if (_keycloakProxy is not null)
            await _keycloakProxy.DisposeAsync();
        Admin.Dispose();
        await Keycloak.DisposeAsync();
        if (Webhooks is not null)
            await Webhooks.DisposeAsync();
        if (Sink is not null)
            await Sink.DisposeAsync();
        await DataSource.DisposeAsync();
        await Postgres.DisposeAsync();
        DatabaseTurn.Dispose();
    }

    private static async Task<IKeycloakServer> StartKeycloakAsync(bool isReal, Action<string> report, CancellationToken token)
    {
        if (!isReal)
            return await EmulatedKeycloak.StartAsync(new EmulatorOptions(), token);
        return KeycloakDistribution.FindAll() is [var newest, ..]
            ? await RealKeycloak.StartAsync(newest, CacheFolder.Of("keycloak"), report, token)
            : throw new InvalidOperationException(
                "There is no Keycloak at hand: set KEYCLOAK_DISTRIBUTIONS or KEYCLOAK_HOME, and have Java 17 or later.");
    }

    private async Task StartAsync(CancellationToken token)
    {
        _keycloakProxy = await HttpProxy.StartAsync(Keycloak.Url, KeycloakFaults.AnswerAsync, token);
        Sink = await EventSink.StartAsync(token);
        Replicas = [.. Enumerable.Range(0, 2).Select(number => new Replica(
            number, Postgres.Port, Settings, number == 0 || _previous is null ? [] : ProgramOf(_previous)))];
        Webhooks = await WebhookRelay.StartAsync([.. Replicas.Select(replica => replica.FrontUrl)], token);
        await Admin.ImportRealmAsync(Realm, RealmFile(), token);
        await Admin.ImportRealmAsync(ProviderRealm, """{"enabled":true}""", token);
        await Admin.AddIdentityProviderAsync(Realm, Provider, ProviderRealm, token);
        if (Keycloak.SendsWebhooks)
            await Admin.CreateWebhookAsync(Realm, new Uri(Webhooks.Url, $"webhooks/keycloak/{Realm}"), _webhookSecret, ["*"], token);
        foreach (var replica in Replicas)
        {
            replica.Launch();
            await ReadyAsync(replica, token);
        }

        await SendingAsync(token);
    }

    // A program gets what happens from the time on at which it is known.
    private async Task SendingAsync(CancellationToken token)
    {
        await using var command = DataSource.CreateCommand("select exists (select from outbox_endpoints)");
        for (var tries = 0; await command.ExecuteScalarAsync(token) is not true; tries++)
        {
            if (tries >= 600)
                throw new InvalidOperationException("No replica sends events about credits.");
            await Task.Delay(TimeSpan.FromMilliseconds(200), token);
        }
    }

    private static string[] ProgramOf(string path) => path.EndsWith(".dll", StringComparison.Ordinal) ? ["dotnet", path] : [path];

    // The client of the workload may do what gateways and administrators may.
    private string RealmFile()
    {
        var realm = JsonNode.Parse(DemoRealm.Json(ClientSecret, Keycloak.SendsWebhooks))!.AsObject();
        var gateway = realm["clients"]!.AsArray().Single(client => (string?)client!["clientId"] == "gateway")!;
        var caller = gateway.DeepClone().AsObject();
        caller["clientId"] = Caller;
        // Users redeem codes with tokens of their own.
        caller["directAccessGrantsEnabled"] = true;
        realm["clients"]!.AsArray().Add(caller);
        realm["users"]!.AsArray().Add(new JsonObject
        {
            ["username"] = $"service-account-{Caller}",
            ["enabled"] = true,
            ["serviceAccountClientId"] = Caller,
            ["clientRoles"] = new JsonObject { ["credit-bridge"] = new JsonArray("credits-admin", "credits-service") },
        });
        return realm.ToJsonString();
    }

    private static async Task ReadyAsync(Replica replica, CancellationToken token)
    {
        using var http = new HttpClient { BaseAddress = replica.Url };
        for (var tries = 0; ; tries++)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri("health/ready", UriKind.Relative), token);
                if (answer.IsSuccessStatusCode)
                    return;
            }
            catch (HttpRequestException) when (tries < 600)
            {
                // It does not listen yet.
            }

            if (tries >= 600)
                throw new InvalidOperationException($"Replica {replica.Number} did not become ready.");
            await Task.Delay(TimeSpan.FromMilliseconds(200), token);
        }
    }

    private Dictionary<string, string> Settings(int databasePort) => new(StringComparer.Ordinal)
    {
        ["Storage:ConnectionString"] = new NpgsqlConnectionStringBuilder(Postgres.ConnectionString(DatabaseName))
        {
            Port = databasePort, SslMode = SslMode.Disable,
        }.ConnectionString,
        ["Keycloak:Url"] = _keycloakProxy!.Url.ToString(),
        ["Keycloak:PublicUrl"] = Keycloak.Url.ToString(),
        ["Keycloak:ClientId"] = DemoRealm.ClientId,
        ["Keycloak:ClientSecret"] = ClientSecret,
        ["Keycloak:RequestTimeout"] = "00:00:03",
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Keycloak:Realms:0:WebhookSecrets:0"] = _webhookSecret,
        ["Provisioning:AccountId"] = _accountId,
        ["Metering:ApiKeys:0"] = GatewayKey,
        ["Api:RateLimits:PerUser"] = "100000",
        ["Api:RateLimits:PerAddress"] = "100000",
        ["Api:RateLimits:Machines"] = "100000",
        ["Grants:Codes:Key"] = new string('k', 32),
        ["Grants:Codes:FailuresPerUser"] = "100000",
        ["Grants:Codes:FailuresPerNetwork"] = "100000",
        ["Grants:Codes:FailuresPerRealm"] = "100000",
        ["Grants:Referrals:ReferrerCredits"] = "0.5",
        ["Grants:Referrals:RefereeCredits"] = "0.3",
        ["Grants:Referrals:Qualify:Spent"] = "0.05",
        ["Grants:Referrals:Settle"] = "00:00:02",
        ["Grants:Referrals:MostPerReferrer"] = "2",
        ["Grants:Referrals:MostIn30Days"] = "2",
        ["Periods:Enabled"] = "true",
        ["Periods:Cron"] = "3/7 * * * * ?",
        ["Outbox:Enabled"] = "true",
        ["Outbox:Low:trial"] = "2",
        ["Outbox:Endpoints:sink:Url"] = Sink.Url.ToString(),
        ["Outbox:Endpoints:sink:Secret"] = EventSink.Secret,
        ["Outbox:Endpoints:sink:AllowHttp"] = "true",
        ["Outbox:Endpoints:sink:AllowPrivate"] = "true",
        ["Outbox:Endpoints:sink:Batch"] = "20",
        ["Hints:Lease"] = "00:00:08",
        ["Hints:MissingGrace"] = "00:00:10",
        ["Intake:Poll:SweepInterval"] = "00:00:10",
        ["Grants:SweepEvery"] = "00:00:05",
        ["Reconciliation:Cron"] = "0/10 * * * * ?",
        ["Reconciliation:CompleteCron"] = "5/30 * * * * ?",
        ["Reconciliation:ClosingShare"] = "1",
    };
}
