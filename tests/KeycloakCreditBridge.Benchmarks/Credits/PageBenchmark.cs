using System.Diagnostics;
using System.Globalization;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>Screens of the operator page on many accounts and a long ledger, each against the same screen on a small database.</summary>
internal static class PageBenchmark
{
    private const string Realm = "demo";
    private const string Secret = "a-secret-of-the-benchmark";
    private const int Few = 1_000;
    private const int Requests = 40;
    private const int Longest = 10_000;

    private static readonly SandboxUser Operator = new("operator", "operator@example.com");

    private static readonly string[] Screens =
    [
        "/page", "/page/accounts", "/page/accounts?tier=trial&state=account", "/page/accounts/demo/user-0", "/page/runs",
        "/page/deliveries", "/page/hints", "/page/grants", "/page/codes", "/page/referrals", "/page/referrals?state=canceled",
        "/page/funnel", "/page/audit",
        "/page/audit?action=credit.create&from=2026-01-01",
    ];

    private const string FillSql =
        """
        insert into keycloak_users (realm, keycloak_id, account_id, created_at, user_state, checked_at)
        select 'demo', 'user-' || n, 'user-' || n, now() - n * interval '20 s', 'account', now() from generate_series(0, {accounts}) n;
        insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at, source)
        select 'user-' || n, 'demo', 'user-' || n, 5, 5, 'trial', now() - n * interval '20 s', now(), 'webhook'
        from generate_series(0, {accounts}) n;
        insert into audit_logs (timestamp, user_id, action, result, metadata)
        select now() - n * interval '20 s', 'user-' || n, 'credit.create', 'success', '{"source": "webhook"}'
        from generate_series({accounts}, 0, -1) n;
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
        select 'user-' || case when n % ({rows} / {longest}) = 0 then 0 else n % {accounts} end, -1, 5, 'usage',
            '{"record_id": "a record of a gateway", "cost_breakdown": {"tokens": 100}}',
            now() - ({rows} - n) * interval '10 days' / {rows}
        from generate_series(1, {rows}) n;
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, grant_key, created_at)
        select c.user_id, 5 + count(t.id), 5 + count(t.id), 'purchase', '{"reason": "initial_allocation"}', 'signup',
            now() - interval '11 days'
        from user_credits c left join credit_transactions t on t.user_id = c.user_id group by c.user_id;
        insert into referrals (referrer, referee, state, touched_at, evaluated_at)
        select 'user-' || n / 10, 'user-' || n, (array['touched', 'canceled', 'expired'])[1 + n % 3], now() - n * interval '20 s', now()
        from generate_series(1, {accounts}) n;
        """;

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, int accounts, int rows)
    {
        var few = await MeasureAsync(server, Few, Few * 10);
        var many = await MeasureAsync(server, accounts, rows);
        return
        [
            .. Screens.Select(screen => new Result(
                $"{screen}, {accounts:N0} accounts, {rows:N0} ledger rows, 95 of 100 within", Text(many[screen]),
                $"{Few:N0} accounts: {Text(few[screen])}", few[screen].At(0.95) / many[screen].At(0.95))),
        ];

        static string Text(Latencies times) => string.Create(CultureInfo.InvariantCulture, $"{times.At(0.95):0.0} ms");
    }

    private static async Task<Dictionary<string, Latencies>> MeasureAsync(PrivatePostgres server, int accounts, int rows)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await using (var connection = await database.DataSource.OpenConnectionAsync())
        await using (var fill = connection.CreateCommand())
        {
#pragma warning disable CA2100 // The numbers are the benchmark's own.
            fill.CommandText = FillSql
                .Replace("{accounts}", $"{accounts}", StringComparison.Ordinal).Replace("{rows}", $"{rows}", StringComparison.Ordinal)
                .Replace("{longest}", $"{Math.Min(Longest, rows / 2)}", StringComparison.Ordinal);
#pragma warning restore CA2100
            // Millions of rows take minutes.
            fill.CommandTimeout = 0;
            await fill.ExecuteNonQueryAsync();
        }

        await database.ExecuteAsync("vacuum (analyze)");
        await using var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(SendsWebhooks: false), CancellationToken.None);
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync(
            Realm, DemoRealm.JsonWithPage(Secret, webhooks: false, url, (Operator, ["credits-admin"])), CancellationToken.None);
        await using var bridge = await BridgeHost.StartReadyAsync(url, Settings(database, keycloak.Url, url), CancellationToken.None);
        using var http = new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false });
        var cookies = new CookieJar();
        await SignInAsync();

        Dictionary<string, Latencies> times = new(StringComparer.Ordinal);
        foreach (var screen in Screens)
        {
            await SendAsync(new Uri(url, screen), null);
            var taken = times[screen] = new Latencies();
            for (var request = 0; request < Requests; request++)
            {
                var started = Stopwatch.GetTimestamp();
                await SendAsync(new Uri(url, screen), null);
                taken.Add(Stopwatch.GetElapsedTime(started));
            }
        }

        return times;

        async Task SignInAsync()
        {
            var (address, body) = await FollowAsync(new Uri(url, "/page"), null);
            var form = HtmlForm.Find(address, body, ["username"])
                ?? throw new InvalidOperationException("There is no form to sign in with.");
            await FollowAsync(
                form.Action,
                form.FilledWith(new Dictionary<string, string> { ["username"] = Operator.Username, ["password"] = Operator.Password }));
        }

        async Task<(Uri Address, string Body)> FollowAsync(Uri address, Dictionary<string, string>? fields)
        {
            while (true)
            {
                var (body, next) = await SendAsync(address, fields);
                if (next is null)
                    return (address, body);
                (address, fields) = (next, null);
            }
        }

        async Task<(string Body, Uri? Next)> SendAsync(Uri address, Dictionary<string, string>? fields)
        {
            using var request = new HttpRequestMessage(fields is null ? HttpMethod.Get : HttpMethod.Post, address);
            request.Headers.Add("Accept", "text/html");
            request.Content = fields is null ? null : new FormUrlEncodedContent(fields);
            cookies.AddTo(request);
            using var answer = await http.SendAsync(request);
            cookies.Store(answer);
            if ((int)answer.StatusCode >= 400)
                throw new InvalidOperationException($"{address} was answered {(int)answer.StatusCode}.");
            return (
                await answer.Content.ReadAsStringAsync(), answer.Headers.Location is { } next ? new Uri(address, next) : null);
        }
    }

    private static Dictionary<string, string?> Settings(BenchmarkDatabase database, Uri keycloak, Uri url) => new(StringComparer.Ordinal)
    {
        ["Storage:ConnectionString"] = database.ConnectionString,
        ["Keycloak:Url"] = keycloak.ToString(),
        ["Keycloak:ClientId"] = DemoRealm.ClientId,
        ["Keycloak:ClientSecret"] = Secret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Page:Enabled"] = "true",
        ["Page:Url"] = url.ToString(),
        ["Page:ClientSecret"] = Secret,
        ["Page:KeysSecret"] = new string('k', 32),
        ["Reconciliation:Enabled"] = "false",
        ["Analytics:Cron"] = "0/10 * * * * ?",
        ["Serilog:MinimumLevel:Default"] = "Error",
    };
}
