using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Benchmarks;

/// <summary>The real executable: from its start until it is ready, and its memory half a minute later.</summary>
internal static class StartBenchmark
{
    private const string Secret = "a-secret-of-the-benchmark";

    public static async Task<Result> RunAsync(PrivatePostgres server, TimeSpan idle)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await using var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(), CancellationToken.None);
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync("demo", DemoRealm.Json(Secret, webhooks: true), CancellationToken.None);
        var started = Stopwatch.GetTimestamp();
        await using var bridge = await BridgeProcess
            .StartAsync(new Uri($"http://127.0.0.1:{FreePort.Next()}/"), new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Storage:ConnectionString"] = database.ConnectionString,
            ["Keycloak:Url"] = keycloak.Url.ToString(),
            ["Keycloak:ClientSecret"] = Secret,
            ["Keycloak:Realms:0:Name"] = "demo",
        });
        var ready = Stopwatch.GetElapsedTime(started);
        await Task.Delay(idle);
        return new Result(
            "start to ready (schema current); idle memory",
            FormattableString.Invariant($"{ready.TotalSeconds:0.0} s; {bridge.Memory.Resident:0} MB resident"));
    }
}
