using System.Diagnostics;
using System.Globalization;
using System.Net;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak;
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
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList = { Path.Combine(AppContext.BaseDirectory, "KeycloakCreditBridge.dll"), "run" },
            RedirectStandardOutput = true,
            Environment =
            {
                ["ASPNETCORE_URLS"] = url.ToString(),
                ["Storage__ConnectionString"] = database.ConnectionString,
                ["Keycloak__Url"] = keycloak.Url.ToString(),
                ["Keycloak__ClientSecret"] = Secret,
                ["Keycloak__Realms__0__Name"] = "demo",
            },
        };
        var started = Stopwatch.GetTimestamp();
        using var bridge = Process.Start(start)!;
        bridge.OutputDataReceived += (_, _) => { };
        bridge.BeginOutputReadLine();
        try
        {
            await ReadyAsync(new Uri(url, "health/ready"));
            var ready = Stopwatch.GetElapsedTime(started);
            await Task.Delay(idle);
            return new Result(
                "start to ready (schema current); idle memory",
                string.Create(CultureInfo.InvariantCulture, $"{ready.TotalSeconds:0.0} s; {ResidentMegabytes(bridge.Id)} MB resident"));
        }
        finally
        {
            bridge.Kill();
            await bridge.WaitForExitAsync();
        }
    }

    private static async Task ReadyAsync(Uri page)
    {
        using var http = new HttpClient();
        while (true)
        {
            try
            {
                using var answer = await http.GetAsync(page);
                if (answer.StatusCode == HttpStatusCode.OK)
                    return;
            }
            catch (HttpRequestException)
            {
                // Nothing listens yet.
            }

            await Task.Delay(10);
        }
    }

    private static long ResidentMegabytes(int process)
    {
        using var running = Process.GetProcessById(process);
        return running.WorkingSet64 / (1024 * 1024);
    }
}
