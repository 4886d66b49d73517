using KeycloakCreditBridge.Benchmarks.Arrivals;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Postgres;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>A burst of webhooks with deliveries and without, and the end of a day of deliveries.</summary>
internal static class RecordsBenchmark
{
    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, int webhooks, int rounds, int ofADay) =>
        [.. await BurstsAsync(server, webhooks, rounds), await DropAsync(server, ofADay)];

    // By turns, so that what else the machine does meets both.
    private static async Task<IReadOnlyList<Result>> BurstsAsync(PrivatePostgres server, int webhooks, int rounds)
    {
        List<BurstOutcome> recorded = [];
        List<BurstOutcome> plain = [];
        for (var round = 0; round < 2 * rounds; round++)
        {
            if (round % 4 is 0 or 3)
                recorded.Add(await Noted("with", BurstBenchmark.SendAsync(server, webhooks, [], RecordedAsync)));
            else
                plain.Add(await Noted(
                    "without", BurstBenchmark.SendAsync(server, webhooks, new() { ["Deliveries:Keep"] = "00:00:00" }, null)));
        }

        return
        [
            Line("last answer", "s", outcome => outcome.Answered),
            Line("last account", "s", outcome => outcome.Seconds),
            Line("processor time of the replicas a webhook", "µs", outcome => outcome.Bridge / webhooks * 1e6),
            Line("processor time of PostgreSQL a webhook", "µs", outcome => outcome.Postgres / webhooks * 1e6),
        ];

        Result Line(string what, string unit, Func<BurstOutcome, double> value)
        {
            var (with, without) = (new Turns(recorded.Select(value)), new Turns(plain.Select(value)));
            return new Result(
                $"{webhooks:N0} webhooks in a burst with deliveries, {what}", with.Text(unit), $"without: {without.Text(unit)}",
                without.Median / with.Median);
        }

        static async Task<BurstOutcome> Noted(string what, Task<BurstOutcome> burst)
        {
            var outcome = await burst;
            await Console.Error.WriteLineAsync(FormattableString.Invariant(
                $"{what} deliveries: answers after {outcome.Answered:0.00} s, accounts after {outcome.Seconds:0.00} s."));
            return outcome;
        }
    }

    private static async Task RecordedAsync(BenchmarkDatabase database, int webhooks)
    {
        while (await database.ScalarAsync<long>("select count(*) from deliveries") < webhooks)
            await Task.Delay(TimeSpan.FromMilliseconds(50));
    }

    private static async Task<Result> DropAsync(PrivatePostgres server, int rows)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await database.ExecuteAsync(
            $"""
            select credit_make_delivery_days(now() - interval '20 days');
            insert into deliveries (received_at, id, realm, way, format, event, keycloak_id, kind, outcome, hints, duration_us)
            select date_trunc('day', now(), 'UTC') - day * interval '1 day' + n * interval '20 hours' / {rows}, gen_random_uuid(), 'demo',
                'webhook', 'PhaseTwo', 'REGISTER', gen_random_uuid()::text, 'changed', 'stored', 1, 900
            from generate_series(1, {rows}) n, unnest(array[20, 19]) day;
            checkpoint
            """,
            hasNoTimeout: true);
        var dropped = await Turns.SecondsAsync(() => database.ExecuteAsync("select credit_drop_delivery_days(current_date - 19)"));
        var deleted = await Turns.SecondsAsync(() => database.ExecuteAsync(
            "delete from deliveries where received_at < date_trunc('day', now(), 'UTC') - interval '18 days'", hasNoTimeout: true));
        return new Result(
            $"a day of {rows:N0} deliveries ends", FormattableString.Invariant($"dropped in {dropped * 1000:0} ms"),
            FormattableString.Invariant($"as many rows deleted: {deleted:0.0} s"), deleted / dropped);
    }
}
