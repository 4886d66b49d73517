using System.Diagnostics;
using System.Net;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Sandbox.Bridges;

/// <summary>The real executable in a process of its own, which can be killed and suspended.</summary>
internal sealed class BridgeProcess : IAsyncDisposable
{
    private const string LogName = "bridge.log";

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    private static readonly string[] Built = ["dotnet", Path.Combine(AppContext.BaseDirectory, "KeycloakCreditBridge.dll")];

    private readonly HttpClient _http = new();
    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "bridge");
    private readonly GuardedProcess _process;

    private BridgeProcess(Uri url, IReadOnlyDictionary<string, string> settings, IReadOnlyList<string> program)
    {
        Url = url;
        var environment = settings.ToDictionary(pair => pair.Key.Replace(":", "__", StringComparison.Ordinal), pair => pair.Value);
        environment["ASPNETCORE_URLS"] = url.ToString();
        _process = GuardedProcess.Start(
            [.. program, "run"],
            LogFile, [], environment);
    }

    public Uri Url { get; }

    /// <summary>The file that takes its log, until it is disposed.</summary>
    public string LogFile => Path.Combine(_folder.Path, LogName);

    /// <summary>The last lines of its log.</summary>
    public string Log => _process.LastLines(200);

    public bool HasExited => _process.HasExited;

    public double ProcessorSeconds
    {
        get
        {
            using var process = Process.GetProcessById(_process.ServerId);
            return process.TotalProcessorTime.TotalSeconds;
        }
    }

    /// <summary>The memory that it uses now.</summary>
    public ProcessMemory Memory => ProcessMemory.Of(_process.ServerId);

    /// <summary>Starts the bridge and returns when it is ready.</summary>
    /// <param name="url">Where it listens.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="program">The program in place of the one that was built beside this one.</param>
    public static async Task<BridgeProcess> StartAsync(
        Uri url, IReadOnlyDictionary<string, string> settings, params IReadOnlyList<string> program)
    {
        var bridge = new BridgeProcess(url, settings, program.Count > 0 ? program : Built);
        await bridge.WaitAsync(async () => await bridge.StatusAsync("health/ready") == HttpStatusCode.OK, "is not ready");
        return bridge;
    }

    /// <summary>Starts the bridge and does not wait.</summary>
    /// <param name="url">Where it listens.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="program">As in <see cref="StartAsync"/>.</param>
    public static BridgeProcess Launch(
        Uri url, IReadOnlyDictionary<string, string> settings, params IReadOnlyList<string> program) =>
        new(url, settings, program.Count > 0 ? program : Built);

    /// <summary>The status of a page, or null while no process listens.</summary>
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

    /// <summary>Ends it like a power failure: without any clean-up.</summary>
    public Task KillAsync() => _process.EndAsync("KILL", EndTimeout);

    /// <summary>Ends it like a rolling restart; false when it took longer than the timeout.</summary>
    public Task<bool> TerminateAsync(TimeSpan timeout) => _process.EndAsync("TERM", timeout);

    public Task<bool> TerminateAsync() => TerminateAsync(EndTimeout);

    /// <summary>
    /// Suspends it, like a machine that swaps or is migrated: it does nothing and keeps its connections. Returns once it is suspended.
    /// </summary>
    public async Task SuspendAsync()
    {
        await _process.SignalAsync("STOP");
        await WaitAsync(() => Task.FromResult(_process.IsStopped), "does not suspend");
    }

    /// <summary>Resumes it after <see cref="SuspendAsync"/>.</summary>
    public async Task ResumeAsync()
    {
        await _process.SignalAsync("CONT");
        await WaitAsync(AnswersAsync, "does not resume");
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Dispose();
        _http.Dispose();
    }

    private async Task<bool> AnswersAsync()
    {
        using var timeout = new CancellationTokenSource(AnswerTimeout);
        try
        {
            using var response = await _http.GetAsync(new Uri(Url, "health/live"), timeout.Token);
            return true;
        }
        catch (Exception exception) when (exception is OperationCanceledException or HttpRequestException)
        {
            return false;
        }
    }

    private async Task WaitAsync(Func<Task<bool>> condition, string problem)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (_process.HasExited || TimeProvider.System.GetElapsedTime(started) > ReadyTimeout)
                throw new InvalidOperationException($"The bridge at {Url} {problem}. Its log:\n{Log}");
            await Task.Delay(Interval);
        }
    }
}
