using System.Net;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>The real executable in a process of its own, to be killed.</summary>
internal sealed class BridgeProcess : IAsyncDisposable
{
    private readonly HttpClient _http = new();
    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "bridge");
    private readonly GuardedProcess _process;

    private BridgeProcess(Uri url, IReadOnlyDictionary<string, string> settings)
    {
        Url = url;
        var environment = settings.ToDictionary(pair => pair.Key.Replace(":", "__", StringComparison.Ordinal), pair => pair.Value);
        environment["ASPNETCORE_URLS"] = url.ToString();
        _process = GuardedProcess.Start(
            ["dotnet", Path.Combine(AppContext.BaseDirectory, "KeycloakCreditBridge.dll"), "run"],
            Path.Combine(_folder.Path, "bridge.log"), [], environment);
    }

    public Uri Url { get; }

    /// <summary>The last lines of its log.</summary>
    public string Log => _process.LastLines(200);

    /// <summary>Starts the bridge and returns when it is ready.</summary>
    public static async Task<BridgeProcess> StartAsync(Uri url, IReadOnlyDictionary<string, string> settings)
    {
        var bridge = Launch(url, settings);
        await Eventually.TrueAsync(
            async () => await bridge.StatusAsync("health/ready") == HttpStatusCode.OK, $"the bridge is ready; its log:\n{bridge.Log}");
        return bridge;
    }

    /// <summary>Starts the bridge and does not wait.</summary>
    public static BridgeProcess Launch(Uri url, IReadOnlyDictionary<string, string> settings) => new(url, settings);

    /// <summary>The status of a page, or null while nothing listens.</summary>
    public async Task<HttpStatusCode?> StatusAsync(string path)
    {
        try
        {
            using var response = await _http.GetAsync(new Uri(Url, path));
            return response.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>As the power failing: nothing is written, nobody is told.</summary>
    public Task KillAsync() => _process.EndAsync("KILL", TimeSpan.FromSeconds(5));

    /// <summary>As a rolling restart: false when it took longer than <paramref name="patience"/>.</summary>
    public Task<bool> TerminateAsync(TimeSpan patience) => _process.EndAsync("TERM", patience);

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Dispose();
        _http.Dispose();
    }
}
