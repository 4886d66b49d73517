using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Arrivals;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Benchmarks.Light;

/// <summary>
/// What the installed program takes: from its start until it is ready, idle, and in a burst of webhooks. Beside it an ASP.NET Core program
/// that does nothing.
/// </summary>
internal sealed class LightBenchmark(PrivatePostgres server, PublishedPrograms programs, TimeSpan idle, int webhooks)
{
    private const int Starts = 5;

    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(20);

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, TimeSpan idle, int webhooks, string? published)
    {
        using var programs = await PublishedPrograms.CreateAsync(published);
        return await new LightBenchmark(server, programs, idle, webhooks).RunAsync();
    }

    private async Task<IReadOnlyList<Result>> RunAsync()
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await using var realm = await LargeRealmFixture.StartAsync(server, webhooks);
        var settings = realm.Settings(database, readsTables: false)
            .ToDictionary(setting => setting.Key, setting => setting.Value!, StringComparer.Ordinal);
        // As it is by default, with its log.
        settings.Remove("Reconciliation:Enabled");
        settings.Remove("Serilog:MinimumLevel:Default");
        settings.Remove("Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime");
        var none = new Dictionary<string, string>(StringComparer.Ordinal);
        var (ours, empty) = (await StartsAsync(settings, programs.Bridge), await StartsAsync(none, programs.Empty));
        await using var bridge = await BridgeProcess.StartAsync(NewUrl(), settings, programs.Bridge);
        await using var reference = await BridgeProcess.StartAsync(NewUrl(), none, programs.Empty);
        await Task.Delay(idle);
        var (rested, nothing) = (bridge.Memory, reference.Memory);
        var (peak, outcome) = await BurstAsync(bridge, database, realm);
        return
        [
            new Result("start to ready (schema current)", ours.ToString(), $"empty program: {empty}", empty.Best / ours.Best),
            new Result($"idle for {idle.TotalSeconds:0} s", Text(rested), $"empty program: {Text(nothing)}", nothing.Held / rested.Held),
            new Result(
                FormattableString.Invariant($"at most in a burst of {webhooks:N0} webhooks"), Text(peak),
                FormattableString.Invariant($"last account after {outcome.Seconds:0.0} s, {outcome.Bridge:0.0} core seconds of the bridge"))
        ];
    }

    private static async Task<(ProcessMemory Peak, BurstOutcome Outcome)> BurstAsync(
        BridgeProcess bridge, BenchmarkDatabase database, LargeRealmFixture realm)
    {
        using var burst = new Burst([bridge], database, await ProcessorTime.OfServerAsync(database));
        var sending = burst.SendAsync(realm.Ids);
        var peak = bridge.Memory;
        while (!sending.IsCompleted)
        {
            await Task.WhenAny(sending, Task.Delay(SampleInterval));
            var memory = bridge.Memory;
            peak = new ProcessMemory(
                Math.Max(peak.Held, memory.Held), Math.Max(peak.Resident, memory.Resident), Math.Max(peak.Threads, memory.Threads));
        }

        var outcome = await sending;
        await AccountCheck.VerifyAsync(database, realm.Ids);
        return (peak, outcome);
    }

    private static async Task<StartDurations> StartsAsync(IReadOnlyDictionary<string, string> settings, string program)
    {
        var (seconds, processor) = (new Durations(), new Durations());
        for (var start = 0; start < Starts; start++)
        {
            var started = Stopwatch.GetTimestamp();
            await using var bridge = await BridgeProcess.StartAsync(NewUrl(), settings, program);
            seconds.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
            processor.Add(bridge.ProcessorSeconds);
        }

        return new StartDurations(seconds, processor);
    }

    private static Uri NewUrl() => new($"http://127.0.0.1:{FreePort.Next()}/");

    private static string Text(ProcessMemory memory) => FormattableString.Invariant(
        $"{memory.Held:0} MB that a limit must hold, {memory.Resident:0} MB resident, {memory.Threads} threads");

    private sealed record StartDurations(Durations Seconds, Durations Processor)
    {
        public double Best => Seconds.Best;

        public override string ToString() => $"{Seconds}, {Processor} of a core";
    }
}
