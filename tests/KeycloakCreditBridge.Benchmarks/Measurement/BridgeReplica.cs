using System.Diagnostics;
using System.Net;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>The real executable in a process of its own.</summary>
internal sealed class BridgeReplica : IAsyncDisposable
{
    private readonly Process _process;

    private BridgeReplica(Uri url, Process process) => (Url, _process) = (url, process);

    public Uri Url { get; }

    public double ProcessorSeconds
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime.TotalSeconds;
        }
    }

    public long ResidentMegabytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64 / (1024 * 1024);
        }
    }

    /// <summary>Returns when it is ready.</summary>
    public static async Task<BridgeReplica> StartAsync(IReadOnlyDictionary<string, string?> settings)
    {
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "KeycloakCreditBridge.dll"), "run"])
        {
            RedirectStandardOutput = true,
        };
        foreach (var (key, value) in settings)
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        start.Environment["ASPNETCORE_URLS"] = url.ToString();
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        var replica = new BridgeReplica(url, process);
        await replica.ReadyAsync();
        return replica;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task ReadyAsync()
    {
        using var http = new HttpClient();
        while (!_process.HasExited)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri(Url, "health/ready"));
                if (answer.StatusCode == HttpStatusCode.OK)
                    return;
            }
            catch (HttpRequestException)
            {
                // Nothing listens yet.
            }

            await Task.Delay(10);
        }

        throw new InvalidOperationException($"The bridge ended with {_process.ExitCode}.");
    }
}
