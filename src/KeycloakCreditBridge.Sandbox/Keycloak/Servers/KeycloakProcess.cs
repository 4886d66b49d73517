using System.Globalization;
using System.Net;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Servers;

/// <summary>Keycloak's Java process on two free ports of 127.0.0.1, its data and its log in one folder.</summary>
internal sealed class KeycloakProcess : IAsyncDisposable
{
    public const string AdminUser = "admin";
    public const string AdminPassword = "admin";

    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(3);

    // C1 and the serial collector: a server that lives for minutes starts a third faster and needs a quarter less memory with them.
    private static readonly string[] JavaOptions =
    [
        "-Xms256m", "-Xmx768m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
        "--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
        "--add-opens=java.base/java.security=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
        "--enable-native-access=ALL-UNNAMED",
        "-Duser.language=en", "-Duser.country=US", "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        "-Dpicocli.disable.closures=true", "-Dquarkus-log-max-startup-records=10000",
        "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    ];

    private readonly GuardedProcess _process;

    private KeycloakProcess(GuardedProcess process, Uri url) => (_process, Url) = (process, url);

    public Uri Url { get; }

    /// <summary>Starts the server that <paramref name="home"/> holds and returns when it says that it is ready.</summary>
    public static async Task<KeycloakProcess> StartAsync(
        Java java, string home, CancellationToken token, IReadOnlyDictionary<string, string>? environment = null)
    {
        for (var attempt = 1; ; attempt++)
        {
            var (port, management) = (FreePort.Next(), FreePort.Next());
            var process = Launch(java, home, port, management, environment ?? new Dictionary<string, string>());
            try
            {
                await WaitUntilReadyAsync(process, management, token);
                return new KeycloakProcess(process, new Uri($"http://127.0.0.1:{port}/"));
            }
            catch (InvalidOperationException exception) when (attempt < 3 && exception.Message.Contains("in use", StringComparison.Ordinal))
            {
                await process.DisposeAsync();
            }
            catch
            {
                await process.DisposeAsync();
                throw;
            }
        }
    }

    /// <summary>Ends it in order, so that its database is whole.</summary>
    public Task StopAsync() => _process.EndAsync("TERM", TimeSpan.FromSeconds(20));

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    // What bin/kc.sh does, without the shell that would stand between a signal and the server, and with folders of the instance's own.
    private static GuardedProcess Launch(
        Java java, string home, int port, int management, IReadOnlyDictionary<string, string> more)
    {
        var temporary = Directory.CreateDirectory(Path.Combine(home, "data", "tmp")).FullName;
        string[] command =
        [
            java.Executable, .. JavaOptions,
            $"-Dkc.home.dir={home}", $"-Djboss.server.config.dir={home}/conf", $"-Djava.io.tmpdir={temporary}",
            "-cp", $"{home}/lib/quarkus-run.jar", "io.quarkus.bootstrap.runner.QuarkusEntryPoint", "start", "--optimized",
        ];
        return GuardedProcess.Start(command, Path.Combine(home, "keycloak.log"), [], new Dictionary<string, string>(more)
        {
            ["KC_HTTP_ENABLED"] = "true",
            ["KC_HTTP_HOST"] = "127.0.0.1",
            ["KC_HTTP_PORT"] = port.ToString(CultureInfo.InvariantCulture),
            ["KC_HTTP_MANAGEMENT_PORT"] = management.ToString(CultureInfo.InvariantCulture),
            ["KC_HOSTNAME_STRICT"] = "false",
            ["KC_CACHE"] = "local",
            ["KC_BOOTSTRAP_ADMIN_USERNAME"] = AdminUser,
            ["KC_BOOTSTRAP_ADMIN_PASSWORD"] = AdminPassword,
        });
    }

    private static async Task WaitUntilReadyAsync(GuardedProcess process, int management, CancellationToken token)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        using var deadline = new CancellationTokenSource(StartTimeout);
        while (!await IsReadyAsync(http, management, token))
        {
            if (process.HasExited || deadline.IsCancellationRequested)
                throw new InvalidOperationException($"Keycloak did not start:\n{process.LastLines()}");
            await Task.Delay(TimeSpan.FromMilliseconds(200), token);
        }
    }

    private static async Task<bool> IsReadyAsync(HttpClient http, int management, CancellationToken token)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{management}/health/ready"), token);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !token.IsCancellationRequested)
        {
            return false;
        }
    }
}
