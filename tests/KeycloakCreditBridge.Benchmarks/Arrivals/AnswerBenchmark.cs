using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>
/// Webhooks whose accounts are converged before the answer, by turns with webhooks that leave hints: 16 in flight until every account is
/// committed, against pgbench converging one user a statement, and how soon each is answered, also while Keycloak hangs.
/// </summary>
internal static class AnswerBenchmark
{
    private const int InFlight = SingleUserBenchmark.InFlight;
    private const int Warmup = 2_000;

    private static readonly (string Name, string Within)[] Ways = [("converged", "00:00:00.25"), ("by hints", "00:00:00")];

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, TimeSpan duration, int users, int rounds)
    {
        List<Result> results = [];
        foreach (var readsTables in new[] { true, false })
            results.AddRange(await RatesAsync(server, duration, readsTables ? users : users / 4, rounds, readsTables));
        results.AddRange(await AnswersAsync(server, users / 20));
        return results;
    }

    private static async Task<IReadOnlyList<Result>> RatesAsync(
        PrivatePostgres server, TimeSpan duration, int users, int rounds, bool readsTables)
    {
        await using var realm = await LargeRealmFixture.StartAsync(server, users + Warmup);
        var reference = new Rates("users");
        var ours = Ways.ToDictionary(way => way.Name, _ => (Accounts: new Rates("accounts"), Hints: 0L), StringComparer.Ordinal);
        for (var round = 0; round < rounds; round++)
        {
            reference.Add(await SingleUserBenchmark.PgbenchAsync(server, duration));
            foreach (var (name, within) in round % 2 == 0 ? Ways : [.. Ways.Reverse()])
            {
                await using var database = await BenchmarkDatabase.CreateAsync(server);
                await using var bridge = await StartAsync(realm, database, readsTables, within);
                using var burst = new Burst([bridge], database, await ProcessorTime.OfServerAsync(database), InFlight);
                await burst.SendAsync([.. realm.Ids.Take(Warmup)]);
                var outcome = await burst.SendAsync([.. realm.Ids.Skip(Warmup)]);
                await AccountCheck.VerifyAsync(database, realm.Ids);
                ours[name].Accounts.Add(users / outcome.Seconds);
                ours[name] = (ours[name].Accounts, await database.ScalarAsync<long>("select last_value from user_hints_version"));
                var used = FormattableString.Invariant($"core seconds: bridge {outcome.Bridge:0.0}, PostgreSQL {outcome.Postgres:0.0}");
                await Console.Error.WriteLineAsync(
                    FormattableString.Invariant($"{name}, tables {readsTables}: {users / outcome.Seconds:N0}/s; {used}."));
            }
        }

        var source = readsTables ? "users read from Keycloak's tables" : "each user asked for by HTTP";
        return
        [
            .. Ways.Select(way => new Result(
                $"{users:N0} webhooks, {InFlight} in flight, {source}, {way.Name} ({ours[way.Name].Hints:N0} hints stored)",
                ours[way.Name].Accounts.ToString(), $"pgbench, one user a statement: {reference}",
                ours[way.Name].Accounts.Best / reference.Best)),
        ];
    }

    // One at a time; then 16 in flight while no user is answered for.
    private static async Task<IReadOnlyList<Result>> AnswersAsync(PrivatePostgres server, int webhooks)
    {
        List<Result> results = [];
        foreach (var (name, within) in Ways)
        {
            await using var realm = await LargeRealmFixture.StartAsync(server, (2 * webhooks) + Warmup);
            await using var database = await BenchmarkDatabase.CreateAsync(server);
            await using var bridge = await StartAsync(realm, database, readsTables: false, within);
            using var burst = new Burst([bridge], database, await ProcessorTime.OfServerAsync(database), InFlight);
            await burst.SendAsync([.. realm.Ids.Take(Warmup)]);
            var idle = await LatenciesAsync(bridge, realm.Ids.Skip(Warmup).Take(webhooks), 1);
            realm.Hang();
            var hanging = await LatenciesAsync(bridge, realm.Ids.Skip(Warmup + webhooks).Take(webhooks), InFlight);
            results.Add(new Result($"answers to {webhooks:N0} webhooks, {name}, one at a time, by HTTP", idle.ToString()));
            results.Add(new Result($"the same, {InFlight} in flight, while Keycloak hangs", hanging.ToString()));
        }

        return results;
    }

    private static async Task<Latencies> LatenciesAsync(BridgeProcess bridge, IEnumerable<string> users, int inFlight)
    {
        using var http = new HttpClient();
        var latencies = new Latencies();
        await Parallel.ForEachAsync(users, new ParallelOptions { MaxDegreeOfParallelism = inFlight }, async (user, _) =>
        {
            using var content = SignedDelivery.Of(LargeRealmFixture.Name, LargeRealmFixture.Secret, user);
            var started = Stopwatch.GetTimestamp();
            using var answer = await http.PostAsync(
                new Uri(bridge.Url, $"webhooks/keycloak/{LargeRealmFixture.Name}"), content, CancellationToken.None);
            answer.EnsureSuccessStatusCode();
            lock (latencies)
                latencies.Add(Stopwatch.GetElapsedTime(started));
        });
        return latencies;
    }

    private static Task<BridgeProcess> StartAsync(LargeRealmFixture realm, BenchmarkDatabase database, bool readsTables, string within)
    {
        var settings = realm.Settings(database, readsTables).ToDictionary(
            setting => setting.Key, setting => setting.Value!, StringComparer.Ordinal);
        settings["Hints:ConvergeWithin"] = within;
        return BridgeProcess.StartAsync(new Uri($"http://127.0.0.1:{FreePort.Next()}/"), settings);
    }
}
