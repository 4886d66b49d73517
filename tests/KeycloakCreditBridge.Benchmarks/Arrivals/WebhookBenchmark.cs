using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>
/// From the sending of a webhook to the committed account, one at a time on an idle bridge, against what cannot be avoided: Keycloak's
/// answer and two commits.
/// </summary>
internal static class WebhookBenchmark
{
    private const string Realm = "demo";
    private const string Secret = "a-secret-of-the-benchmark";

    public static async Task<Result> RunAsync(PrivatePostgres server, int users)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await using var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(SendsWebhooks: false), CancellationToken.None);
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync(Realm, DemoRealm.Json(Secret, webhooks: false), CancellationToken.None);
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        await using var bridge = await BridgeHost.StartReadyAsync(url, Settings(database, keycloak), CancellationToken.None);
        using var http = new HttpClient();
        await database.ExecuteAsync("create table floor (id text primary key)");

        List<double> ours = [];
        List<double> floor = [];
        for (var number = 0; number < users + 50; number++)
        {
            var user = new EmulatedUser(Guid.NewGuid().ToString(), $"user-{number}");
            keycloak.Realm(Realm).AddUser(user);
            var unavoidable = await FloorAsync(database, http, keycloak.Url);
            var elapsed = await DeliverAsync(database, http, new Uri(url, $"webhooks/keycloak/{Realm}"), user.Id);
            // The first ones are compiled while they run.
            if (number < 50)
                continue;
            floor.Add(unavoidable);
            ours.Add(elapsed);
        }

        return new Result(
            $"webhook to committed account, idle, emulator, {users:N0} times",
            $"p50 {At(ours, 0.5):0.0} ms, p99 {At(ours, 0.99):0.0} ms",
            $"one request to the emulator and two commits: p50 {At(floor, 0.5):0.0} ms, p99 {At(floor, 0.99):0.0} ms",
            At(floor, 0.5) / At(ours, 0.5));
    }

    private static Dictionary<string, string?> Settings(BenchmarkDatabase database, EmulatedKeycloak keycloak) =>
        new(StringComparer.Ordinal)
    {
        ["Storage:ConnectionString"] = database.ConnectionString,
        ["Keycloak:Url"] = keycloak.Url.ToString(),
        ["Keycloak:ClientSecret"] = Secret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Keycloak:Realms:0:WebhookSecrets:0"] = Secret,
        ["Reconciliation:Enabled"] = "false",
        ["Serilog:MinimumLevel:Default"] = "Fatal",
        ["Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime"] = "Fatal",
    };

    private static async Task<double> DeliverAsync(BenchmarkDatabase database, HttpClient http, Uri webhook, string userId)
    {
        using var content = SignedDelivery.Of(Realm, Secret, userId);
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var exists = new NpgsqlCommand("select exists (select from user_credits where user_id = $1)", connection)
        {
            Parameters = { new() { Value = userId } },
        };
        await exists.PrepareAsync();
        var started = Stopwatch.GetTimestamp();
        using var answer = await http.PostAsync(webhook, content);
        answer.EnsureSuccessStatusCode();
        while (!(bool)(await exists.ExecuteScalarAsync())!)
            await Task.Delay(TimeSpan.FromMilliseconds(1));
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static async Task<double> FloorAsync(BenchmarkDatabase database, HttpClient http, Uri keycloak)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var write = new NpgsqlCommand("insert into floor values (gen_random_uuid()::text)", connection);
        await write.PrepareAsync();
        var started = Stopwatch.GetTimestamp();
        await write.ExecuteNonQueryAsync();
        using var answer = await http.GetAsync(new Uri(keycloak, $"realms/{Realm}"));
        await write.ExecuteNonQueryAsync();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static double At(List<double> values, double share) => values.Order().ElementAt((int)(values.Count * share));
}
