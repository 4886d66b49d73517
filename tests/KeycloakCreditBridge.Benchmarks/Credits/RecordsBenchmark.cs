using System.Diagnostics;
using System.Globalization;
using KeycloakCreditBridge.Analytics;
using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Benchmarks.Arrivals;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Credits.Milestones;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Postgres;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>
/// What records cost: a burst of webhooks with deliveries and without, deducts whose statement notes milestones against the
/// same statement without, and the time that reports take.
/// </summary>
internal static class RecordsBenchmark
{
    private const int Clients = 16;
    private const int Accounts = 1_000;

    public static async Task<IReadOnlyList<Result>> RunAsync(
        PrivatePostgres server, int webhooks, int rounds, TimeSpan duration, int accounts) =>
    [
        await BurstsAsync(server, webhooks, rounds),
        await DeductsAsync(server, duration),
        .. await ReportsAsync(server, accounts),
    ];

    // By turns, so that what else the machine does meets both.
    private static async Task<Result> BurstsAsync(PrivatePostgres server, int webhooks, int rounds)
    {
        List<double> noted = [];
        List<double> plain = [];
        for (var round = 0; round < rounds; round++)
        {
            foreach (var (keep, times) in new[] { ("7.00:00:00", noted), ("00:00:00", plain) })
                times.Add(await BurstBenchmark.AnsweredAsync(server, webhooks, new() { ["Deliveries:Keep"] = keep }));
        }

        return new Result(
            $"{webhooks:N0} webhooks in a burst with deliveries",
            FormattableString.Invariant($"last answer after {noted.Min():0.00} s (best of {rounds})"),
            FormattableString.Invariant($"without: {plain.Min():0.00} s"), plain.Min() / noted.Min());
    }

    private static async Task<Result> DeductsAsync(PrivatePostgres server, TimeSpan duration)
    {
        const string Set = "credits_remaining = credits_remaining - 0.000001, updated_at = credit_booking_time(now(), updated_at)";
        const string Noted =
            """
            , first_spend_at = case when first_spend_at is null and 'usage' = 'usage' then now() else first_spend_at end,
                exhausted_at = case when exhausted_at is null and credits_remaining - 0.000001 <= 0 and not unlimited then now()
                    else exhausted_at end,
                purchased_at = case when purchased_at is null and 'usage' = 'purchase' then now() else purchased_at end
            """;
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await database.ExecuteAsync(
            $"""
            insert into user_credits (user_id, credits_remaining, tier)
            select 'account-' || n, 1000, 'trial' from generate_series(0, {Accounts - 1}) n
            """);
        List<double> noted = [];
        List<double> plain = [];
        for (var round = 0; round < 3; round++)
        {
            foreach (var (extra, rates) in new[] { (Noted, noted), ("", plain) })
                rates.Add(await Pgbench.RunAsync(
                    database,
                    $"""
                    \set account random(0, {Accounts - 1})
                    with u as (update user_credits set {Set}{extra} where user_id = 'account-' || :account::text returning *)
                    insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at)
                    select user_id, -0.000001, credits_remaining, 'usage', updated_at from u;

                    """.ReplaceLineEndings(" ").Replace($") with", $")\nwith", StringComparison.Ordinal),
                    Clients, duration));
        }

        return new Result(
            $"a deduct that notes milestones, {Clients} clients of pgbench",
            FormattableString.Invariant($"{noted.Max():N0}/s (best of 3)"),
            FormattableString.Invariant($"the same without: {plain.Max():N0}/s"), noted.Max() / plain.Max());
    }

    private static async Task<IReadOnlyList<Result>> ReportsAsync(PrivatePostgres server, int accounts)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await database.ExecuteAsync(
            $"""
            insert into keycloak_users (realm, keycloak_id, account_id, created_at, user_state, checked_at)
            select 'demo', 'u' || n, 'u' || n, now() + interval '1 hour' - n * interval '400 days' / {accounts}, 'account', now()
            from generate_series(1, {accounts}) n;
            insert into user_credits (user_id, realm, keycloak_id, created_at, last_reset, source, credits_remaining, tier)
            select k.account_id, k.realm, k.keycloak_id, k.created_at + random() * random() * interval '1 minute', now(),
                (array['webhook', 'poll', 'reconciliation', 'first-read'])[1 + (random() * 3)::int], 5,
                (array['trial', 'free', 'starter'])[1 + (random() * 2)::int]
            from keycloak_users k;
            update schema_migrations set applied_at = now() - interval '500 days';
            analyze;
            """);
        var options = Options.Create(new AnalyticsOptions());
        var rollUps = new RollUpStore(
            database.DataSource, new MilestoneStore(database.DataSource), options, Options.Create(new ProvisioningOptions()),
            TimeProvider.System);
        var whole = await TimeAsync(() => rollUps.RebuildAsync(whole: false, CancellationToken.None));
        var recent = await TimeAsync(() => rollUps.RebuildAsync(whole: false, CancellationToken.None));
        var writer = new ReportWriter(new AnalyticsStore(database.DataSource), rollUps, options, TimeProvider.System);
        List<string> times = [];
        foreach (var report in new[] { Report.Funnel, Report.Latency, Report.Sources, Report.Experiments, Report.Expiries })
        {
            var query = new AnalyticsQuery("demo", writer.Today.AddDays(-399), writer.Today, report.Groups[0]);
            var longest = 0.0;
            for (var round = 0; round < 5; round++)
            {
                var taken = await TimeAsync(() => writer.WriteAsync(report, query, CancellationToken.None));
                longest = round == 0 ? longest : Math.Max(longest, taken);
            }

            times.Add(string.Create(CultureInfo.InvariantCulture, $"{report.Name} {longest:0} ms"));
        }

        return
        [
            new Result($"reports of {accounts:N0} accounts over 400 days, the longest of 4", string.Join(", ", times), "goal: 300 ms"),
            new Result(
                $"counting {accounts:N0} accounts",
                FormattableString.Invariant($"all days {whole / 1000:0.0} s, the last 35 days {recent / 1000:0.0} s")),
        ];
    }

    private static async Task<double> TimeAsync<T>(Func<Task<T>> work)
    {
        var started = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }
}
