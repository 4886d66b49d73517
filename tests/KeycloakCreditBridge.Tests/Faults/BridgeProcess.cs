using System.Net;
using KeycloakCreditBridge.Sandbox.Processes;
using Xunit.Sdk;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>The real executable in a process of its own, to be killed or to be made to hang.</summary>
internal sealed class BridgeProcess : IAsyncDisposable
{
    private static readonly TimeSpan Blink = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

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
        await bridge.EventuallyAsync(async () => await bridge.StatusAsync("health/ready") == HttpStatusCode.OK, "the bridge is ready");
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

    /// <summary>As if the power failed: nothing is written or sent.</summary>
    public Task KillAsync() => _process.EndAsync("KILL", Patience);

    /// <summary>As a rolling restart: false when it took longer than <paramref name="patience"/>.</summary>
    public Task<bool> TerminateAsync(TimeSpan patience) => _process.EndAsync("TERM", patience);

    /// <summary>As a rolling restart that may take its time.</summary>
    public Task<bool> TerminateAsync() => TerminateAsync(Patience);

    /// <summary>
    /// Stops it as a machine that swaps or migrates: it does nothing at all, and keeps its connections. Returns once it hangs.
    /// </summary>
    public async Task HangAsync()
    {
        await _process.SignalAsync("STOP");
        await EventuallyAsync(() => Task.FromResult(_process.IsStopped), "the bridge hangs");
    }

    /// <summary>Lets it go on where it hung.</summary>
    public async Task WakeAsync()
    {
        await _process.SignalAsync("CONT");
        await EventuallyAsync(AnswersAsync, "the bridge goes on");
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Dispose();
        _http.Dispose();
    }

    private async Task<bool> AnswersAsync()
    {
        using var patience = new CancellationTokenSource(Blink);
        try
        {
            using var response = await _http.GetAsync(new Uri(Url, "health/live"), patience.Token);
            return true;
        }
        catch (Exception exception) when (exception is OperationCanceledException or HttpRequestException)
        {
            return false;
        }
    }

    // An expectation is written before there is a log.
    private async Task EventuallyAsync(Func<Task<bool>> condition, string expectation)
    {
        try
        {
            await Eventually.TrueAsync(condition, expectation);
        }
        catch (XunitException exception)
        {
            Assert.Fail($"{exception.Message} Its log:\n{Log}");
        }
    }
}
