using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Limits;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Postgres;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>Accounts opened in bulk under policies, against the same by a bridge that asks no plan.</summary>
internal static class GrantBenchmark
{
    private const int Batch = 1_000;

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, int users, int rounds)
    {
        var gate = new GrantsOptions
        {
            Welcome = new WelcomeOptions { Credits = 5m, Before = 1m, Requires = [Requirements.EmailVerified] },
        };
        var rules = new GrantsOptions
        {
            Welcome = new WelcomeOptions
            {
                Credits = 5m, ExpiresAfter = TimeSpan.FromDays(30),
                Rules = [
                    new WelcomeRuleOptions
                    {
                        Name = "example", Credits = 6m, When = new RuleWhenOptions { EmailDomain = "example.com" },
                        Budget = new RuleBudgetOptions { Credits = 900_000_000m, Per = BudgetPeriod.Day },
                    },
                ],
            },
        };
        var compared = Compared();
        var (before, empty, gated, ruled) = (new Rates("users"), new Rates("users"), new Rates("users"), new Rates("users"));
        var armed = new Rates("users");
        Dictionary<Rates, (double Rows, string Spent)> last = [];
        // What is measured first would pay for what is compiled.
        _ = await TimeAsync(server, rules, users / 4, asksPlan: true);
        for (var round = 0; round < rounds; round++)
        {
            Add(before, await TimeAsync(server, new GrantsOptions(), users, asksPlan: false));
            Add(empty, await TimeAsync(server, new GrantsOptions(), users, asksPlan: true));
            Add(gated, await TimeAsync(server, gate, users, asksPlan: true));
            Add(ruled, await TimeAsync(server, rules, users, asksPlan: true));
            Add(armed, await TimeAsync(server, compared, users, asksPlan: true));
        }

        var reference = $"by a bridge that asks no plan: {Said(before)}";
        return [
            new Result($"{users:N0} users opened without policies", Said(empty), reference, empty.Best / before.Best),
            new Result(
                $"{users:N0} users with unverified addresses opened, a part of the welcome withheld", Said(gated), reference,
                gated.Best / before.Best),
            new Result(
                $"{users:N0} users opened by a rule with an end and a budget", Said(ruled), reference, ruled.Best / before.Best),
            new Result($"{users:N0} users opened by an arm of an experiment", Said(armed), reference, armed.Best / before.Best),
        ];

        void Add(Rates rates, (double Rate, double Rows, string Spent) measured)
        {
            rates.Add(measured.Rate);
            last[rates] = (measured.Rows, measured.Spent);
        }

        string Said(Rates rates) =>
            FormattableString.Invariant($"{rates}, {last[rates].Rows:0.0} rows written for a user, {last[rates].Spent}");
    }

    /// <summary>An experiment whose arms give all users the same.</summary>
    public static GrantsOptions Compared() => new()
    {
        Welcome = new WelcomeOptions { Credits = 5m },
        Experiments =
        {
            ["trial"] = new ExperimentOptions
            {
                From = "2026-01-01", Planned = 1,
                Arms = [
                    new ArmOptions { Name = "control", Weight = 0.5m, Credits = 6m },
                    new ArmOptions { Name = "other", Weight = 0.5m, Credits = 6m },
                ],
            },
        },
    };

    private static async Task<(double Rate, double Rows, string Spent)> TimeAsync(
        PrivatePostgres server, GrantsOptions grants, int users, bool asksPlan)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var processor = await ProcessorTime.OfServerAsync(database);
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()), grants: Options.Create(grants));
        var provisioner = database.NewProvisioner(grants, asksPlan);
        string[] ids = [.. Enumerable.Range(0, users).Select(_ => Guid.NewGuid().ToString())];
        var isVerified = grants.Welcome is { Rules.Count: > 0 } || grants.Experiments.Count > 0;
        var now = TimeProvider.System.GetUtcNow();
        var (before, started) = (Spent.Now(processor), Stopwatch.GetTimestamp());
        await Parallel.ForEachAsync(ids.Chunk(Batch), new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (chunk, token) =>
            await provisioner.ConvergeAsync(
                chunk.Select(id => policy.Evaluate(
                    new Subject("demo", id, true, false, now) { Email = $"{id}@example.com", EmailVerified = isVerified }, now,
                    HintSources.Reconciliation)),
                token));
        var rate = users / Stopwatch.GetElapsedTime(started).TotalSeconds;
        var spent = Spent.Now(processor).For(users, before);
        var expected = users * (isVerified ? 6m : grants.Welcome is null ? 5m : 1m);
        var written = (await RowCounts.OfGrantsAsync(database)).Written / (double)users;
        var given = await database.ScalarAsync<decimal>("select sum(credits_remaining) from user_credits");
        return given == expected
            ? (rate, written, spent)
            : throw new InvalidOperationException($"{given} credits were given instead of {expected}.");
    }
}
