using System.Diagnostics;
using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Benchmarks;

/// <summary>What a line about a user costs, written and not, what a measured value costs, and what it costs to read settings.</summary>
internal static partial class LineBenchmark
{
    private const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    private static readonly KeyValuePair<string, object?>[] Tags =
    [
        new("http.request.method", "GET"), new("url.scheme", "http"), new("network.protocol.version", "1.1"),
        new("http.response.status_code", 200), new("http.route", "/api/v1/credits/balance"),
    ];

    public static async Task<IReadOnlyList<Result>> RunAsync(int rounds)
    {
        var builder = Program.Compose([]);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Storage:ConnectionString"] = "Host=db",
            ["Keycloak:Url"] = "https://sso.example.com",
            ["Keycloak:ClientSecret"] = "secret",
            ["Keycloak:Realms:0:Name"] = "demo",
        });
        await using var app = builder.Build();
        var logger = app.Services.GetRequiredService<ILogger<GrantPolicy>>();
        var policy = app.Services.GetRequiredService<Hot<GrantPolicy>>();
        var options = app.Services.GetRequiredService<IOptions<ProvisioningOptions>>();
        var meters = app.Services.GetRequiredService<IMeterFactory>();
        using var listening = app.Services.GetRequiredService<MetricsCollector>();
        var durations = meters.Create("Microsoft.AspNetCore.Hosting").CreateHistogram<double>("bench.durations");
        var counter = meters.Create("Microsoft.AspNetCore.Hosting").CreateCounter<long>("bench.requests");
        var shown = Console.Out;
        Console.SetOut(TextWriter.Null);
        try
        {
            var line = Best(rounds, () => LogLine(logger, 5m));
            var about = Best(rounds, () => LogAbout(logger));
            var off = Best(rounds * 20, () => LogOff(logger));
            var guard = Best(rounds * 20, () => _ = logger.IsEnabled(LogLevel.Debug));
            var hot = Best(rounds * 20, () => _ = policy.Current.Tiers);
            var fixedAtStart = Best(rounds * 20, () => _ = options.Value.Tiers);
            var measured = Best(rounds * 5, () => durations.Record(0.01, Tags));
            var labels = Best(rounds * 5, () => _ = PrometheusText.Labels(Tags));
            var counted = Best(rounds * 5, () => counter.Add(1));
            return
            [
                Compare("a duration with five tags, as of each request", measured, "a count without tags", counted),
                Compare("the text of its labels, once a series", labels, "a count without tags", counted),
                Compare("a line about a user, with its fields", about, "the same line without them", line),
                Compare("a line about a user below its level", off, "the question whether the level is on", guard),
                Compare("hot settings read for a decision", hot, "options of the start", fixedAtStart),
            ];
        }
        finally
        {
            Console.SetOut(shown);
        }
    }

    private static Result Compare(string work, double ours, string name, double reference) => new(
        work, FormattableString.Invariant($"{ours:0.0} ns"), FormattableString.Invariant($"{name}: {reference:0.0} ns"), reference / ours);

    // Of five: others on the machine only add.
    private static double Best(int rounds, Action action) => Enumerable.Range(0, 5).Min(_ =>
    {
        var started = Stopwatch.GetTimestamp();
        for (var round = 0; round < rounds; round++)
            action();
        return Stopwatch.GetElapsedTime(started).TotalNanoseconds / rounds;
    });

    private static void LogAbout(ILogger logger)
    {
        using var about = logger.About("demo", "8b1f6b1e-6f5c-4b6e-9d0e-3f0c7c1d2a10", Trace);
        LogLine(logger, 5m);
    }

    private static void LogOff(ILogger logger)
    {
        if (logger.IsEnabled(LogLevel.Debug))
            LogAbout(logger);
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Opened an account with {Balance} credits.")]
    private static partial void LogLine(ILogger logger, decimal balance);
}
