using System.Text.RegularExpressions;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Sandbox.Postgres;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>
/// What milestones cost where they are noted: the bridge's own statements of a deduct and of a balance, by pgbench, with what concerns
/// milestones and without it. Processor time of PostgreSQL is steadier than a rate.
/// </summary>
internal static partial class MilestoneBenchmark
{
    private const int Clients = 4;

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, TimeSpan duration, int turns)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await CreditsBenchmark.FillAsync(database);
        var processors = await ProcessorTime.OfServerAsync(database);
        return
        [
            await MeasureAsync("a deduct", CreditsBenchmark.StatementOf(typeof(CreditChangeStore), "ChangeSql"), Noting()),
            await MeasureAsync("a balance", CreditsBenchmark.StatementOf(typeof(BalanceStore), "BalanceSql"), Reading()),
        ];

        async Task<Result> MeasureAsync(string what, string statement, Regex ofMilestones)
        {
            if (!ofMilestones.IsMatch(statement))
                throw new InvalidOperationException($"Milestones stand elsewhere in the statement of {what}: {statement}");
            var without = CreditsBenchmark.ScriptOf(ofMilestones.Replace(statement, ""));
            var with = CreditsBenchmark.ScriptOf(statement);
            List<double> noted = [];
            List<double> plain = [];
            for (var turn = 0; turn < 2 * turns; turn++)
            {
                var isNoted = turn % 4 is 0 or 3;
                var before = processors.Postgres;
                var rate = await Pgbench.RunAsync(database, isNoted ? with : without, Clients, duration);
                await ProcessorTime.SettleAsync(database);
                (isNoted ? noted : plain).Add((processors.Postgres - before) / (rate * duration.TotalSeconds) * 1e6);
            }

            var (ours, reference) = (new Turns(noted), new Turns(plain));
            return new Result(
                $"{what} with milestones, processor time of PostgreSQL", ours.Text("µs"), $"without: {reference.Text("µs")}",
                reference.Median / ours.Median);
        }
    }

    [GeneratedRegex(@",\s*first_spend_at = case.*else c\.purchased_at end", RegexOptions.Singleline)]
    private static partial Regex Noting();

    [GeneratedRegex(@",\s*c\.first_read_at is null as never_read")]
    private static partial Regex Reading();
}
