using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using KeycloakCreditBridge.Analytics;
using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Credits.Milestones;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>Every report over HTTP, of many accounts over 400 days, and the time that counting them takes.</summary>
internal static class ReportBenchmark
{
    private const int Days = 400;
    private const int Times = 10;

    private const string FillSql =
        """
        insert into keycloak_users (realm, keycloak_id, account_id, created_at, user_state, checked_at)
        select 'demo', 'u' || n, 'u' || n, now() + interval '1 hour' - n * interval '400 days' / {accounts}, 'account', now()
        from generate_series(1, {accounts}) n;
        insert into user_credits (user_id, realm, keycloak_id, created_at, last_reset, source, credits_remaining, tier)
        select k.account_id, k.realm, k.keycloak_id, k.created_at + random() * random() * interval '1 minute', now(),
            (array['webhook', 'poll', 'reconciliation', 'first-read'])[1 + (random() * 3)::int], 5,
            (array['trial', 'free', 'starter'])[1 + (random() * 2)::int]
        from keycloak_users k;
        insert into credit_grants (user_id, grant_key, amount, granted_at, expires_at, policy)
        select 'u' || n, 'welcome', 3, now(), now() + n * interval '30 days' / {accounts}, 'welcome'
        from generate_series(1, {accounts}, 10) n;
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
        select 'u' || n, 3, 5, 'purchase', jsonb_build_object('rule', 'rule-' || n % 20), now(), 'welcome'
        from generate_series(1, {accounts}, 10) n;
        update schema_migrations set applied_at = now() - interval '500 days';
        """;

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, int accounts)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await database.ExecuteAsync(FillSql.Replace("{accounts}", $"{accounts}", StringComparison.Ordinal), hasNoTimeout: true);
        await database.ExecuteAsync("vacuum analyze", hasNoTimeout: true);
        var rollUps = new RollUpStore(
            database.DataSource, new MilestoneStore(database.DataSource), Options.Create(new AnalyticsOptions()),
            Options.Create(new ProvisioningOptions()), TimeProvider.System);
        var whole = await Turns.SecondsAsync(() => rollUps.RebuildAsync(whole: false, CancellationToken.None));
        var recent = await Turns.SecondsAsync(() => rollUps.RebuildAsync(whole: false, CancellationToken.None));
        await database.ExecuteAsync("vacuum analyze", hasNoTimeout: true);

        await using var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(SendsWebhooks: false), CancellationToken.None);
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync(
            CreditsBenchmark.Realm, DemoRealm.Json(CreditsBenchmark.Secret, webhooks: false), CancellationToken.None);
        var settings = CreditsBenchmark.Settings(database, keycloak);
        settings["Analytics:Enabled"] = "false";
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        await using var bridge = await BridgeHost.StartReadyAsync(url, settings, CancellationToken.None);
        using var http = new HttpClient { BaseAddress = url };
        http.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", CreditsBenchmark.TokenOf(keycloak, CallerRoles.Viewer));

        var today = DateOnly.FromDateTime(DateTime.UtcNow);
        List<Result> results = [];
        foreach (var report in new[] { Report.Funnel, Report.Latency, Report.Sources, Report.Experiments, Report.Expiries })
        {
            foreach (var by in report.Groups)
                results.Add(await MeasureAsync(report, by, report.LooksAhead ? (0, Days - 1) : (1 - Days, 0)));
        }

        // Few enough for exact percentiles.
        results.Add(await MeasureAsync(Report.Latency, "day", (1 - (90_000 * Days / accounts), 0)));
        results.Add(new Result(
            $"counting {accounts:N0} accounts",
            FormattableString.Invariant($"all days {whole:0.0} s, the last 35 days {recent:0.0} s")));
        return results;

        async Task<Result> MeasureAsync(Report report, string by, (int From, int To) days)
        {
            var (from, to) = (today.AddDays(days.From), today.AddDays(days.To));
            var query = string.Create(CultureInfo.InvariantCulture, $"by={by}&from={from:yyyy-MM-dd}&to={to:yyyy-MM-dd}");
            var address = new Uri($"api/v1/credits/analytics/{report.Name}?{query}", UriKind.Relative);
            var (times, length) = (new Latencies(), 0);
            for (var time = 0; time <= Times; time++)
            {
                var started = Stopwatch.GetTimestamp();
                length = (await http.GetStringAsync(address)).Length;
                if (time > 0)
                    times.Add(Stopwatch.GetElapsedTime(started));
            }

            return new Result(
                $"{report.Name} by {by}, {accounts:N0} accounts, {days.To - days.From + 1} days, {length / 1024} KiB", $"{times}",
                "goal: 300 ms");
        }
    }
}
