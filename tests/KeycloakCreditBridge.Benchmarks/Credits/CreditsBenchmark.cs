using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>
/// The HTTP API, 16 in flight: a warm balance against an endpoint of the same process that verifies the same token and does nothing, and a
/// deduct against pgbench running the same statement with 16 clients. Sender, bridge and PostgreSQL share the machine.
/// </summary>
internal static partial class CreditsBenchmark
{
    internal const string Realm = "demo";
    internal const string Secret = "a-secret-of-the-benchmark";
    internal const int InFlight = 16;
    internal const int Accounts = 1_000;
    private const string GatewayKey = "key-of-the-benchmark-0123456789";

    private static int _next;

    // The values of one deduct, in the statement's own words; everything that is not named here is null.
    private static readonly Dictionary<string, string> Values = new(StringComparer.Ordinal)
    {
        ["Realm"] = "'demo'",
        ["User"] = "'account-' || :account::text",
        ["IsOwn"] = "false",
        ["OtherRealms"] = "array[]",
        ["Amount"] = "(-0.000001)",
        ["Type"] = "'usage'",
        ["Service"] = "'bench'",
        ["Cost"] = "0.000001",
        ["Metadata"] = "'{}'::jsonb",
        ["AnswersEntry"] = "false",
        ["Caller"] = "'demo/bench'",
        ["Hash"] = "'x'",
        ["Now"] = "now()",
    };

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, TimeSpan duration)
    {
        var reference = await PgbenchAsync(server, duration);
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await FillAsync(database);
        await using var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(SendsWebhooks: false), CancellationToken.None);
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync(Realm, DemoRealm.Json(Secret, webhooks: false), CancellationToken.None);
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        await using var bridge = await BridgeHost.StartReadyAsync(
            url, Settings(database, keycloak), CancellationToken.None,
            app => app.MapGet("/bare", () => TypedResults.Text("{}", "application/json")).RequireToken());
        using var http = new HttpClient { BaseAddress = url };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TokenOf(keycloak));

        _ = await LoadAsync(http, Read("bare"), TimeSpan.FromSeconds(1));
        _ = await LoadAsync(http, Read("api/v1/credits/balance"), TimeSpan.FromSeconds(1));
        var (bare, bareTimes) = await LoadAsync(http, Read("bare"), duration);
        var (warm, warmTimes) = await LoadAsync(http, Read("api/v1/credits/balance"), duration);
        var (deducts, deductTimes) = await LoadAsync(http, Deduct, duration);
        var load = new CreditsLoadBenchmark(http, database, bridge, GatewayKey);
        var moves = await load.ChangesAsync(InFlight, Accounts, duration);
        var gate = await load.GateAsync(duration);
        var meter = await load.MeterAsync(batches: 20 * (int)duration.TotalSeconds);
        var besideBackfill = await load.BesideBackfillAsync(20_000 * (int)duration.TotalSeconds);
        return
        [
            new Result(
                $"GET /balance, {InFlight} in flight", Text(warm, warmTimes),
                $"bare authenticated endpoint of the same process: {Text(bare, bareTimes)}", warm / bare),
            new Result(
                $"POST /deduct over HTTP, {InFlight} in flight", Text(deducts, deductTimes),
                $"pgbench, same statement, {InFlight} clients: {reference:N0}/s", deducts / reference),
            new Result($"the same moves without HTTP, {InFlight} in flight", $"{moves:N0}/s", "the same", moves / reference),
            besideBackfill,
            gate,
            meter,
        ];
    }

    private static Func<HttpRequestMessage> Read(string path) =>
        () => new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));

    internal static HttpRequestMessage Deduct() => new(HttpMethod.Post, new Uri("api/v1/credits/deduct", UriKind.Relative))
    {
        Content = new StringContent(
            $$"""{"user_id":"account-{{(uint)Interlocked.Increment(ref _next) % Accounts}}","amount":"0.000001","service":"bench"}""",
            Encoding.UTF8, "application/json"),
    };

    internal static async Task<(double PerSecond, List<double> Times)> LoadAsync(
        HttpClient http, Func<HttpRequestMessage> next, TimeSpan duration)
    {
        var times = new ConcurrentBag<double>();
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, InFlight).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                using var request = next();
                var sent = Stopwatch.GetTimestamp();
                using var answer = await http.SendAsync(request);
                answer.EnsureSuccessStatusCode();
                times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }
        })));
        return (times.Count / Stopwatch.GetElapsedTime(started).TotalSeconds, [.. times.Order()]);
    }

    internal static string Text(double perSecond, List<double> times) => string.Create(
        CultureInfo.InvariantCulture,
        $"{perSecond:N0}/s, p50 {times[times.Count / 2]:0.0} ms, p99 {times[(int)(times.Count * 0.99)]:0.0} ms");

    internal static string TokenOf(
        EmulatedKeycloak keycloak, string role = CallerRoles.Service, string user = "account-0") =>
        keycloak.Realm(Realm).Sign(new JsonObject
        {
            ["iss"] = $"{keycloak.Url}realms/{Realm}",
            ["aud"] = "credit-bridge",
            ["exp"] = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds(),
            ["typ"] = "Bearer",
            ["sub"] = user,
            ["jti"] = "onrtac:bench",
            ["preferred_username"] = "bench",
            ["realm_access"] = new JsonObject { ["roles"] = new JsonArray(role) },
        });

    internal static Task FillAsync(BenchmarkDatabase database) => database.ExecuteAsync(
        $"""
        insert into user_credits (user_id, credits_remaining, credits_allocated, tier, realm, keycloak_id)
        select 'account-' || n, 1000, 1000, 'trial', '{Realm}', 'account-' || n from generate_series(0, {Accounts - 1}) n
        """);

    internal static Dictionary<string, string?> Settings(BenchmarkDatabase database, EmulatedKeycloak keycloak) =>
        new(StringComparer.Ordinal)
    {
        ["Storage:ConnectionString"] = database.ConnectionString,
        ["Keycloak:Url"] = keycloak.Url.ToString(),
        ["Keycloak:ClientSecret"] = Secret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Reconciliation:Enabled"] = "false",
        ["Intake:Poll:Enabled"] = "false",
        ["Api:RateLimits:PerUser"] = "100000",
        ["Api:RateLimits:WritesPerUser"] = "100000",
        ["Api:RateLimits:PerAddress"] = "100000",
        ["Api:RateLimits:Machines"] = "100000",
        ["Metering:ApiKeys:0"] = GatewayKey,
        ["Serilog:MinimumLevel:Default"] = "Fatal",
        ["Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime"] = "Fatal",
    };

    private static async Task<double> PgbenchAsync(PrivatePostgres server, TimeSpan duration)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await FillAsync(database);
        return await Pgbench.RunAsync(database, ScriptOf(StatementOf(typeof(CreditChangeStore), "ChangeSql")), InFlight, duration);
    }

    /// <summary>The bridge's own statement.</summary>
    internal static string StatementOf(Type store, string name) =>
        (string)store.GetField(name, BindingFlags.NonPublic | BindingFlags.Static)!.GetValue(null)!;

    /// <summary>A statement about one account as a script of pgbench, with the values of one deduct.</summary>
    internal static string ScriptOf(string statement)
    {
        var filled = Parameter().Replace(statement, match => Values.GetValueOrDefault(match.Groups[1].Value, "null"));
        // pgbench would take the colons of a time's format for variables of its own.
        return $"\\set account random(0, {Accounts - 1})\n{Colon().Replace(filled, ".")};\n";
    }

    [GeneratedRegex("@([A-Z][A-Za-z]*)")]
    private static partial Regex Parameter();

    [GeneratedRegex("(?<=[A-Z0-9]):(?=[A-Z0-9])")]
    private static partial Regex Colon();
}
