using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>
/// Users register by the form of a real Keycloak, one at a time: from its answer to the committed account, by webhook and by polling alone
/// with default settings; and what a registration takes with the webhook attached against without, alternating.
/// </summary>
internal sealed class ArrivalBenchmark : IAsyncDisposable
{
    private const string Realm = "demo";
    private const string Secret = "a-secret-of-the-benchmark";
    private const int Warmup = 15;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(6);

    private readonly RealKeycloak _keycloak;
    private readonly BenchmarkDatabase _database;
    private readonly KeycloakAdmin _admin;
    private readonly KeycloakBrowser _browser;
    private readonly Uri _bridgeUrl = new($"http://127.0.0.1:{FreePort.Next()}/");
    private int _registered;

    private ArrivalBenchmark(RealKeycloak keycloak, BenchmarkDatabase database)
    {
        (_keycloak, _database) = (keycloak, database);
        _admin = KeycloakAdmin.Of(keycloak);
        _browser = new KeycloakBrowser(keycloak.Url);
    }

    /// <summary>Starts Keycloak; null where there is none that sends webhooks.</summary>
    public static async Task<ArrivalBenchmark?> StartAsync(PrivatePostgres server)
    {
        var distribution = KeycloakDistribution.FindAll().FirstOrDefault(found => found.Plugin is not null);
        if (distribution is null)
            return null;
        var keycloak = await RealKeycloak.StartAsync(
            distribution, CacheFolder.Of("keycloak"), Console.Error.WriteLine, CancellationToken.None);
        var benchmark = new ArrivalBenchmark(keycloak, await BenchmarkDatabase.CreateAsync(server));
        await benchmark._admin.ImportRealmAsync(Realm, DemoRealm.Json(Secret, webhooks: true), CancellationToken.None);
        return benchmark;
    }

    public async Task<IReadOnlyList<Result>> RunAsync(int byWebhook, int byPolling, int pairs)
    {
        var what = $"registration form of a real {_keycloak.Description.Split(',')[0]}";
        await using var bridge = await BridgeHost.StartReadyAsync(_bridgeUrl, Settings(), CancellationToken.None);
        var webhook = await AttachAsync();
        await RegisterAsync(Warmup, TimeSpan.Zero);
        var heard = await RegisterAsync(byWebhook, TimeSpan.Zero);
        await _admin.DeleteWebhookAsync(Realm, webhook, CancellationToken.None);
        var added = await CompareAsync(pairs);
        var polled = await RegisterAsync(byPolling, LongestPause);
        return
        [
            new Result($"{what}, answer to committed account, webhook, {heard.Count} times", heard.ToString()),
            new Result($"the same, polling alone at default settings, {polled.Count} times", polled.ToString()),
            added,
        ];
    }

    public async ValueTask DisposeAsync()
    {
        _admin.Dispose();
        await _keycloak.DisposeAsync();
        await _database.DisposeAsync();
    }

    private async Task<Latencies> RegisterAsync(int users, TimeSpan longestPause)
    {
        var spread = new Latencies();
        for (var number = 0; number < users; number++)
        {
            // Pollers have a rhythm; registrations must not keep to it.
            await Task.Delay(longestPause * (RandomNumberGenerator.GetInt32(1_000) / 1_000.0));
            await RegisterAsync();
            var answered = Stopwatch.GetTimestamp();
            await AwaitAccountAsync();
            spread.Add(Stopwatch.GetElapsedTime(answered));
        }

        return spread;
    }

    private async Task<Result> CompareAsync(int pairs)
    {
        var (with, without) = (new Latencies(), new Latencies());
        for (var pair = 0; pair < pairs * 2; pair++)
        {
            // With, without, without, with: neither is always the second.
            if (pair % 4 is 0 or 3)
            {
                var webhook = await AttachAsync();
                with.Add(await TimedAsync());
                await _admin.DeleteWebhookAsync(Realm, webhook, CancellationToken.None);
            }
            else
            {
                await ToggleUnusedWebhookAsync();
                without.Add(await TimedAsync());
            }
        }

        var added = with.At(0.5) - without.At(0.5);
        return new Result(
            string.Create(
                CultureInfo.InvariantCulture,
                $"a registration, page and form, with the webhook attached: {added:+0.0;-0.0} ms at the median, {pairs} pairs"),
            with.ToString(), $"without: {without}");
    }

    // What follows starts from an idle bridge, which has this user's account.
    private async Task<TimeSpan> TimedAsync()
    {
        var started = Stopwatch.GetTimestamp();
        await RegisterAsync();
        var taken = Stopwatch.GetElapsedTime(started);
        await AwaitAccountAsync();
        return taken;
    }

    private Task RegisterAsync()
    {
        var name = $"user{++_registered}";
        return _browser.RegisterAsync(Realm, new SandboxUser(name, $"{name}@example.com"), CancellationToken.None);
    }

    private async Task AwaitAccountAsync()
    {
        await using var connection = await _database.DataSource.OpenConnectionAsync();
        await using var count = new NpgsqlCommand("select count(*) from user_credits", connection);
        await count.PrepareAsync();
        while ((long)(await count.ExecuteScalarAsync())! < _registered)
            await Task.Delay(TimeSpan.FromMilliseconds(1));
    }

    private Task<string> AttachAsync() => _admin.CreateWebhookAsync(
        Realm, new Uri(_bridgeUrl, $"webhooks/keycloak/{Realm}"), Secret, ["*"], CancellationToken.None);

    // The same two requests of an administrator as for attaching and detaching, so that both kinds start alike.
    private async Task ToggleUnusedWebhookAsync() => await _admin.DeleteWebhookAsync(Realm, await AttachAsync(), CancellationToken.None);

    private Dictionary<string, string?> Settings() => new(StringComparer.Ordinal)
    {
        ["Storage:ConnectionString"] = _database.ConnectionString,
        ["Keycloak:Url"] = _keycloak.Url.ToString(),
        ["Keycloak:ClientSecret"] = Secret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Keycloak:Realms:0:WebhookSecrets:0"] = Secret,
        ["Reconciliation:Enabled"] = "false",
        ["Serilog:MinimumLevel:Default"] = "Fatal",
        ["Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime"] = "Fatal",
    };
}
