using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>
/// 16 callers submit one hint each, as the webhook endpoint does, and the next one as soon as it is stored, while the whole bridge
/// processes them. Against pgbench converging one user a statement with 16 clients. The same statement by the bridge's own code stands
/// beside.
/// </summary>
internal static class HintBenchmark
{
    private const int Callers = SingleUserBenchmark.InFlight;

    /// <summary>The first ones are compiled while they run, and a batch of them is one call.</summary>
    public const int Warmup = 5_000;

    /// <param name="server">Where everything is kept.</param>
    /// <param name="duration">How long single statements run.</param>
    /// <param name="users">How many hints, where many users are read with a question; a quarter of them where each is asked for by
    /// HTTP.</param>
    /// <param name="rounds">How often.</param>
    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, TimeSpan duration, int users, int rounds)
    {
        await using var realm = await LargeRealmFixture.StartAsync(server, users + Warmup);
        var (reference, single) = (new Rates("users"), new Rates("users"));
        var (stored, asked) = (new Rates("accounts"), new Rates("accounts"));
        for (var round = 0; round < rounds; round++)
        {
            reference.Add(await SingleUserBenchmark.PgbenchAsync(server, duration));
            stored.Add(await MeasureAsync(server, realm, users, readsTables: true));
            asked.Add(await MeasureAsync(server, realm, users / 4, readsTables: false));
            single.Add(await SingleAsync(server, duration));
        }

        var work = $"one hint at a time, {Callers} in flight";
        var pgbench = $"pgbench, one user a statement, {Callers} clients: {reference}";
        return
        [
            new Result(
                $"{work}, users read from Keycloak's tables", stored.ToString(), $"{pgbench}; goal: 5 times that",
                stored.Best / reference.Best),
            new Result(
                $"{work}, each asked for by HTTP, emulator in the same process", asked.ToString(), "the same", asked.Best / reference.Best),
            new Result(
                $"one user a statement, {Callers} in flight", single.ToString(), "the same, same statement", single.Best / reference.Best),
        ];
    }

    /// <summary>Submits hints for these users and returns when all are processed.</summary>
    public static async Task SubmitAsync(BridgeHost bridge, BenchmarkDatabase database, IReadOnlyList<string> users)
    {
        var writer = bridge.Services.GetRequiredService<HintWriter>();
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var number && number < users.Count)
                await writer.WriteAsync(
                    [new UserHint(LargeRealmFixture.Name, users[number], HintKind.Changed, "REGISTER", HintSources.Webhook)],
                    CancellationToken.None);
        })));
        await AccountCheck.DrainedAsync(database);
    }

    public static Task<BridgeHost> StartAsync(LargeRealmFixture realm, BenchmarkDatabase database, bool readsTables) =>
        BridgeHost.StartReadyAsync(
            new Uri($"http://127.0.0.1:{FreePort.Next()}/"), realm.Settings(database, readsTables), CancellationToken.None);

    private static async Task<double> MeasureAsync(PrivatePostgres server, LargeRealmFixture realm, int users, bool readsTables)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await using var bridge = await StartAsync(realm, database, readsTables);
        await SubmitAsync(bridge, database, [.. realm.Ids.Take(Warmup)]);
        string[] ids = [.. realm.Ids.Skip(Warmup).Take(users)];
        var started = Stopwatch.GetTimestamp();
        await SubmitAsync(bridge, database, ids);
        var rate = users / Stopwatch.GetElapsedTime(started).TotalSeconds;
        await AccountCheck.VerifyAsync(database, realm.Ids.Take(Warmup + users));
        return rate;
    }

    private static async Task<double> SingleAsync(PrivatePostgres server, TimeSpan duration)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var started = Stopwatch.GetTimestamp();
        return await SingleUserBenchmark.ConvergeAsync(database, duration) / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
