using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Npgsql;

namespace KeycloakCreditBridge.Sandbox.Tour;

/// <summary>
/// PostgreSQL, Keycloak with the realm of keycloak-config/, and the bridge, all on this machine; disposing ends and removes them.
/// </summary>
internal sealed class SandboxSystem : IAsyncDisposable
{
    public const string Realm = "demo";

    /// <summary>May do everything on the operator page.</summary>
    public static readonly SandboxUser OperatorUser = new("operator", "operator@example.com");

    /// <summary>Sees everything there and changes nothing.</summary>
    public static readonly SandboxUser ViewerUser = new("viewer", "viewer@example.com");

    private const string Database = "credits";

    // What a page must show as text: markup, marks that reverse a line, and a very long name.
    private static readonly string[] NamesOfMischief =
        ["<script>alert(1)</script>", "\u202Enimda\u202C", $"{string.Concat(Enumerable.Repeat("😀", 100))}-the-end"];

    private readonly string _webhookSecret = Guid.NewGuid().ToString("N");
    private readonly string _clientSecret = Guid.NewGuid().ToString("N");
    private readonly string _keysSecret = Guid.NewGuid().ToString("N");
    private readonly SandboxOptions _choices;
    private PrivatePostgres? _postgres;
    private IKeycloakServer? _keycloak;
    private KeycloakAdmin? _admin;
    private NpgsqlDataSource? _dataSource;
    private BridgeHost? _bridge;

    private SandboxSystem(SandboxOptions choices) => _choices = choices;

    public IKeycloakServer Keycloak => Started(_keycloak);

    public KeycloakAdmin Admin => Started(_admin);

    /// <summary>The bridge's database.</summary>
    public NpgsqlDataSource DataSource => Started(_dataSource);

    /// <summary>The bridge's database, as psql takes it.</summary>
    public string PsqlAddress => Started(_postgres).PsqlAddress(Database);

    /// <summary>The options that make a command of the bridge use this system.</summary>
    public string CommandSettings =>
        $"--set 'Storage:ConnectionString={Started(_postgres).ConnectionString(Database)}' --set Keycloak:Url={Keycloak.Url} " +
        $"--set Keycloak:ClientSecret={_clientSecret} --set Keycloak:Realms:0:Name={Realm}";

    /// <summary>The secret of the client `gateway`, which reads and spends for users.</summary>
    public string GatewaySecret => _clientSecret;

    public Uri BridgeUrl { get; } = new($"http://127.0.0.1:{FreePort.Next()}/");

    public static async Task<SandboxSystem> StartAsync(SandboxOptions choices, Action<string> report, CancellationToken cancellationToken)
    {
        var system = new SandboxSystem(choices);
        try
        {
            await system.StartPostgresAsync(report, cancellationToken);
            await system.StartKeycloakAsync(report, cancellationToken);
            await system.StartBridgeAsync(cancellationToken);
            report($"Bridge      {system.BridgeUrl}");
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    public async Task StartBridgeAsync(CancellationToken cancellationToken) =>
        _bridge = await BridgeHost.StartReadyAsync(BridgeUrl, Settings(), cancellationToken);

    public async Task StopBridgeAsync()
    {
        if (_bridge is null)
            return;
        await _bridge.StopAsync(CancellationToken.None);
        await _bridge.DisposeAsync();
        _bridge = null;
    }

    /// <summary>Adds users without an event: reconciliation finds them.</summary>
    public async Task AddUsersAsync(int count, CancellationToken cancellationToken)
    {
        if (Keycloak is EmulatedKeycloak emulator)
        {
            emulator.Realm(Realm).AddUsers(count);
            foreach (var name in NamesOfMischief)
                emulator.Realm(Realm).AddUser(new EmulatedUser(EmulatedUser.NewId(), name));
            return;
        }

        foreach (var part in Enumerable.Range(0, count).Chunk(500))
            await Admin.PartialImportAsync(
                Realm, part.Select(number => new SandboxUser($"user{number:D7}", $"user{number:D7}@example.com")), cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await StopBridgeAsync();
        _admin?.Dispose();
        if (_dataSource is not null)
            await _dataSource.DisposeAsync();
        if (_keycloak is not null)
            await _keycloak.DisposeAsync();
        if (_postgres is not null)
            await _postgres.DisposeAsync();
    }

    private async Task StartPostgresAsync(Action<string> report, CancellationToken cancellationToken)
    {
        _postgres = await PrivatePostgres.StartAsync(
            new PrivatePostgresOptions(CacheFolder.Of("postgres"), Report: report), cancellationToken);
        _dataSource = NpgsqlDataSource.Create(await _postgres.CreateDatabaseAsync(Database, cancellationToken));
        report($"PostgreSQL  127.0.0.1:{_postgres.Port}, a private server");
    }

    private async Task StartKeycloakAsync(Action<string> report, CancellationToken cancellationToken)
    {
        _keycloak = await StartServerAsync(report, cancellationToken);
        report($"Keycloak    {_keycloak.Url} {_keycloak.Description}");
        _admin = KeycloakAdmin.Of(_keycloak);
        await _admin.ImportRealmAsync(
            Realm,
            DemoRealm.JsonWithPage(
                _clientSecret, _keycloak.SendsWebhooks, BridgeUrl, (OperatorUser, ["credits-admin"]), (ViewerUser, ["credits-viewer"])),
            cancellationToken);
        if (_keycloak.SendsWebhooks)
            await _admin.CreateWebhookAsync(
                Realm, new Uri(BridgeUrl, $"webhooks/keycloak/{Realm}"), _webhookSecret, ["*"], cancellationToken);
        else
            report("            without the webhook plugin: the bridge finds users by polling alone");
    }

    private async Task<IKeycloakServer> StartServerAsync(Action<string> report, CancellationToken cancellationToken)
    {
        if (!_choices.Emulator)
        {
            if (KeycloakDistribution.FindAll() is [var newest, ..])
                return await RealKeycloak.StartAsync(newest, CacheFolder.Of("keycloak"), report, cancellationToken);
            report("Keycloak    none at hand (KEYCLOAK_HOME or KEYCLOAK_DISTRIBUTIONS, and Java 17 or later): an emulator stands in");
        }

        return await EmulatedKeycloak.StartAsync(new EmulatorOptions(), cancellationToken);
    }

    private Dictionary<string, string?> Settings() => new(StringComparer.Ordinal)
    {
        ["Storage:ConnectionString"] = Started(_postgres).ConnectionString(Database),
        ["Keycloak:Url"] = Keycloak.Url.ToString(),
        ["Keycloak:ClientId"] = DemoRealm.ClientId,
        ["Keycloak:ClientSecret"] = _clientSecret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Keycloak:Realms:0:WebhookSecrets:0"] = _webhookSecret,
        ["Page:Enabled"] = "true",
        ["Page:Url"] = BridgeUrl.ToString(),
        ["Page:ClientSecret"] = _clientSecret,
        ["Page:KeysSecret"] = _keysSecret,
        ["Reconciliation:Cron"] = "0/10 * * * * ?",
        ["Analytics:Cron"] = "5/20 * * * * ?",
        ["Analytics:MinimumGroup"] = "1",
        ["Grants:Opening:ExpiresAfter"] = "14.00:00:00",
        ["Serilog:MinimumLevel:Default"] = _choices.Verbose ? "Information" : "Error",
        ["Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime"] = _choices.Verbose ? "Information" : "Error",
    };

    private static T Started<T>(T? part)
        where T : class => part ?? throw new InvalidOperationException("The sandbox has not started.");
}
