using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>
/// A thousand users, each with a token, that redeem a code of a hundred places at once, against plain deducts of the same accounts: both
/// over HTTP, by the same bridge, with as many in flight.
/// </summary>
internal static class CodesBenchmark
{
    private const int Places = 100;

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, TimeSpan duration, int rounds)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await CreditsBenchmark.FillAsync(database);
        await using var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(SendsWebhooks: false), CancellationToken.None);
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync(
            CreditsBenchmark.Realm, DemoRealm.Json(CreditsBenchmark.Secret, webhooks: false), CancellationToken.None);
        var settings = CreditsBenchmark.Settings(database, keycloak);
        settings["Grants:Codes:Key"] = new string('k', 32);
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        await using var bridge = await BridgeHost.StartReadyAsync(url, settings, CancellationToken.None);
        using var http = new HttpClient { BaseAddress = url };
        string[] tokens = [.. Enumerable.Range(0, CreditsBenchmark.Accounts)
            .Select(number => CreditsBenchmark.TokenOf(keycloak, user: $"account-{number}"))];
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", tokens[0]);
        var maker = bridge.Services.GetRequiredService<CampaignMaker>();

        _ = await CreditsBenchmark.LoadAsync(http, CreditsBenchmark.Deduct, TimeSpan.FromSeconds(1));
        _ = await RedeemAsync(database, maker, url, tokens, "warm-up");
        var (deducts, redemptions) = (new Rates("deducts"), new Rates("attempts"));
        for (var round = 0; round < rounds; round++)
        {
            deducts.Add((await CreditsBenchmark.LoadAsync(http, CreditsBenchmark.Deduct, duration)).PerSecond);
            redemptions.Add(await RedeemAsync(database, maker, url, tokens, $"round-{round}"));
        }

        return [
            new Result(
                $"{CreditsBenchmark.Accounts:N0} users redeem a code of {Places} places, {CreditsBenchmark.InFlight} in flight",
                redemptions.ToString(), $"POST /deduct over HTTP, {CreditsBenchmark.InFlight} in flight: {deducts}",
                redemptions.Best / deducts.Best),
        ];
    }

    private static async Task<double> RedeemAsync(
        BenchmarkDatabase database, CampaignMaker maker, Uri url, string[] tokens, string campaign)
    {
        await database.ExecuteAsync("delete from code_failures");
        var made = await maker.CreateAsync(
            new NewCampaign(CreditsBenchmark.Realm, campaign, 1m, null, null, null, [], 1, Places, null, "bench"), CancellationToken.None);
        using var http = new HttpClient { BaseAddress = url };
        var waiting = new ConcurrentQueue<string>(tokens);
        var paid = 0;
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, CreditsBenchmark.InFlight).Select(_ => Task.Run(async () =>
        {
            while (waiting.TryDequeue(out var token))
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("api/v1/credits/codes/redeem", UriKind.Relative));
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                request.Content = new StringContent($$"""{"code":"{{made.Codes[0]}}"}""", Encoding.UTF8, "application/json");
                using var answer = await http.SendAsync(request);
                if (answer.StatusCode == HttpStatusCode.Created)
                    Interlocked.Increment(ref paid);
                else if (answer.StatusCode is not (HttpStatusCode.NotFound or HttpStatusCode.TooManyRequests))
                    throw new InvalidOperationException($"An attempt was answered {answer.StatusCode}.");
            }
        })));
        var rate = tokens.Length / Stopwatch.GetElapsedTime(started).TotalSeconds;
        var counted = await database.ScalarAsync<string>(
            "select c.redeemed || ' ' || count(r.user_id) || ' ' || count(t.id) from codes c "
            + "left join code_redemptions r on r.code_id = c.id "
            + "left join credit_transactions t on t.user_id = r.user_id and t.grant_key = 'code:' || c.id "
            + $"where c.campaign_id = (select id from code_campaigns where name = '{campaign}') group by c.id");
        return paid == Places && counted == $"{Places} {Places} {Places}"
            ? rate
            : throw new InvalidOperationException($"{paid} were paid, and the database has {counted}.");
    }
}
