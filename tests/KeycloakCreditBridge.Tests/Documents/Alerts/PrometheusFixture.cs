using System.Globalization;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>A Prometheus that scrapes nothing: its history is what promtool makes of samples and of recording rules.</summary>
internal sealed class PrometheusFixture : IAsyncDisposable
{
    // Times of a test may be years ago.
    private const string Retention = "--storage.tsdb.retention.time=100y";

    // Hundreds of blocks of two hours, as without it, take a minute to make.
    private const string OneBlock = "--max-block-duration=2400h";

    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "prometheus");
    private readonly HttpClient _http = new() { BaseAddress = new Uri($"http://127.0.0.1:{FreePort.Next()}") };
    private GuardedProcess? _server;

    private string Data => Path.Combine(_folder.Path, "data");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static void Require()
    {
        Promtool.Require();
        Assert.SkipUnless(Command.Find("prometheus") is not null, "Needs Prometheus: install the package prometheus.");
    }

    /// <summary>Makes blocks of samples in the text format of OpenMetrics.</summary>
    public async Task ImportAsync(string samples)
    {
        var file = Path.Combine(_folder.Path, "samples.om");
        await File.WriteAllTextAsync(file, samples, Token);
        Assert.Equal("", await Promtool.ComplaintsAsync("", "tsdb", "create-blocks-from", OneBlock, "openmetrics", "--quiet", file, Data));
        await StartAsync();
    }

    /// <summary>Makes blocks of what recording rules say of the history.</summary>
    public async Task RecordAsync(string rules, DateTimeOffset start, DateTimeOffset end, TimeSpan interval)
    {
        var file = Path.Combine(_folder.Path, "rules.yaml");
        await File.WriteAllTextAsync(file, rules, Token);
        Assert.Equal("", await Promtool.ComplaintsAsync(
            "", "tsdb", "create-blocks-from", OneBlock, "rules", $"--url={_http.BaseAddress}", $"--start={start.ToUnixTimeSeconds()}",
            $"--end={end.ToUnixTimeSeconds()}", $"--eval-interval={interval.TotalSeconds.ToString(CultureInfo.InvariantCulture)}s",
            $"--output-dir={Data}", file));
        await StartAsync();
    }

    /// <summary>The labels and values that an expression has at an instant, such as `hour=2 120`.</summary>
    public async Task<IReadOnlyList<string>> QueryAsync(string expression, DateTimeOffset at)
    {
        using var content = new FormUrlEncodedContent(
            new Dictionary<string, string> { ["query"] = expression, ["time"] = $"{at.ToUnixTimeSeconds()}" });
        using var answer = await _http.PostAsync(new Uri("api/v1/query", UriKind.Relative), content, Token);
        var json = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!;
        Assert.True((string?)json["status"] == "success", json.ToJsonString());
        return
        [
            .. json["data"]!["result"]!.AsArray().Select(series => string.Join(
                ' ',
                series!["metric"]!.AsObject().Where(label => label.Key != "__name__").Select(label => $"{label.Key}={label.Value}")
                    .Append((string)series["value"]![1]!))),
        ];
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _http.Dispose();
        _folder.Dispose();
    }

    // It looks for new blocks once a minute and at its start.
    private async Task StartAsync()
    {
        TestNeeds.Demand(TestNeeds.Programs);
        if (_server is not null)
            await _server.EndAsync("TERM", TimeSpan.FromSeconds(30));
        var configuration = Path.Combine(_folder.Path, "prometheus.yml");
        await File.WriteAllTextAsync(configuration, "global: {}\n", Token);
        _server = GuardedProcess.Start(
            [
                Command.Find("prometheus")!, $"--config.file={configuration}", $"--storage.tsdb.path={Data}", Retention,
                $"--web.listen-address={_http.BaseAddress!.Authority}", "--log.level=warn",
            ],
            Path.Combine(_folder.Path, "prometheus.log"), [], new Dictionary<string, string>());
        await Eventually.TrueAsync(
            async () =>
            {
                Assert.False(_server.HasExited, _server.LastLines());
                try
                {
                    using var ready = await _http.GetAsync(new Uri("-/ready", UriKind.Relative), Token);
                    return ready.IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            "Prometheus is ready");
    }
}
