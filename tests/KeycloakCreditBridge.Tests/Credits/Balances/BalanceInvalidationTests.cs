using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Credits.Balances;

/// <summary>
/// Two replicas. The clock of the second one stands still, so what it remembers never gets too old: a change that it shows, it heard of.
/// </summary>
public sealed class BalanceInvalidationTests(PostgresFixture postgres)
{
    // A connection that listens asks something else now and then, to see that it is still there.
    private const string CutOffSql =
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query in ('listen "
            + "credit_balances', 'SELECT NULL')";

    public static TheoryData<string> Names => [.. BalanceWriters.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_change_by_any_writer_shows_at_another_replica(string writer)
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, ("Metering:ApiKeys:0", BalanceWriters.GatewayKey), ("Provisioning:AccountId", "{email}"));
        await using var second = await SecondAsync(fixture, new ManualTimeProvider(DateTimeOffset.UtcNow));
        var id = NewUser(fixture);
        await WarmAsync(fixture, second, id);
        var before = await BalanceAsync(fixture, second, id);
        await BalanceWriters.All[writer](fixture, id);
        await Eventually.TrueAsync(async () => await BalanceAsync(fixture, second, id) != before,
            $"the second replica shows what was written by {writer}");
    }

    [Theory]
    [InlineData("delete from user_credits")]
    [InlineData("truncate user_credits")]
    public async Task An_account_that_is_removed_by_hand_is_not_shown_any_more(string removal)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        await using var second =
            await SecondAsync(fixture, new ManualTimeProvider(DateTimeOffset.UtcNow), ("Credits:FirstRead", "NotFound"));
        var id = NewUser(fixture);
        await WarmAsync(fixture, second, id);
        await fixture.Database.ExecuteAsync(removal);
        await Eventually.TrueAsync(async () => (await GetAsync(fixture, second, id)).Status == HttpStatusCode.NotFound,
            "the account is not shown");
    }

    [Fact]
    public async Task What_a_request_did_the_next_one_at_the_same_replica_sees()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var id = await fixture.AddUserAsync();
        var token = fixture.TokenOf(id);
        for (var count = 1; count <= 30; count++)
        {
            await BalanceWriters.PostAsync(
                fixture, CreditsFixture.Allocate, new JsonObject { ["user_id"] = id, ["amount"] = "1", ["source"] = "s" });
            Assert.Equal($"{5 + count}.000000", (await fixture.GetAsync(CreditsFixture.Balance, token))["balance"]);
            await BalanceWriters.PostAsync(
                fixture, "api/v1/credits/tiers/switch",
                new JsonObject { ["user_id"] = id, ["new_tier"] = count % 2 == 0 ? "starter" : "professional" });
            Assert.Equal(count % 2 == 0 ? "starter" : "professional", (await fixture.GetAsync(CreditsFixture.Balance, token))["tier"]);
        }
    }

    [Fact]
    public async Task Balances_are_cached_and_never_shown_to_another_caller()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var id = NewUser(fixture);
        await WarmAsync(fixture, fixture.Bridge, id);
        foreach (var _ in (int[])[1, 2])
        {
            Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(id))).Status);
            Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync($"{CreditsFixture.Balance}?user_id={id}",
                fixture.TokenOf("s1", CreditsFixture.Service))).Status);
            Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync(CreditsFixture.Balance,
                fixture.TokenOf(id, CreditsFixture.Other, []))).Status);
            Assert.Equal(
                HttpStatusCode.NotFound,
                (await fixture.GetAsync($"{CreditsFixture.Balance}?user_id={id}",
                fixture.TokenOf("s1", CreditsFixture.Other, [CreditsFixture.Service]))).Status);
            Assert.Equal(HttpStatusCode.Forbidden, (await fixture.GetAsync($"{CreditsFixture.Balance}?user_id={id}",
                fixture.TokenOf("u2"))).Status);
        }
    }

    [Fact]
    public async Task A_listener_that_is_cut_off_says_so_once_and_everything_is_read_from_the_database_until_it_is_back()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var clock = new ManualTimeProvider(DateTimeOffset.UtcNow);
        await using var second = await SecondAsync(fixture, clock);
        var cache = second.Services.GetRequiredService<BalanceCache>();
        var id = NewUser(fixture);
        await WarmAsync(fixture, second, id);

        await Eventually.TrueAsync(
            async () => { await fixture.Database.ExecuteAsync(CutOffSql); return !cache.IsListening; }, "the listener noticed");
        await fixture.Database.ExecuteAsync("update user_credits set monthly_cap = 7 where user_id = @id", new { id });
        Assert.Equal("7.000000", (await GetAsync(fixture, second, id))["monthly_cap"]);
        Assert.Contains("is not listening for changes", await ReadAsync(second, "health/ready"), StringComparison.Ordinal);
        Assert.Contains("bridge_balance_listening 0", await ReadAsync(second, "metrics"), StringComparison.Ordinal);

        await Eventually.TrueAsync(
            () => { clock.Advance(TimeSpan.FromSeconds(2)); return cache.IsListening; }, "it listens again");
        Assert.Single(second.Log.All, line => line.Contains(" 820 ", StringComparison.Ordinal));
        Assert.Single(second.Log.All, line => line.Contains(" 821 ", StringComparison.Ordinal));
        Assert.Contains("bridge_balance_listening 1", await ReadAsync(second, "metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Frequent_changes_are_published_by_the_replica_and_not_by_the_trigger()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Metering:ApiKeys:0", BalanceWriters.GatewayKey));
        var id = await fixture.AddUserAsync();
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        List<string> heard = [];
        connection.Notification += (_, notification) => heard.Add(notification.Payload);
        await using (var listen = new NpgsqlCommand("listen credit_balances", connection))
            await listen.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        foreach (var writer in (string[])["deduct", "allocate", "usage", "meter"])
        {
            await BalanceWriters.All[writer](fixture, id);
            Assert.True(await connection.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken), $"{writer} is told");
        }

        Assert.All(heard, news => Assert.Contains("\"from\"", news, StringComparison.Ordinal));
        await BalanceWriters.All["tier"](fixture, id);
        Assert.True(await connection.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken), "the switch is told");
        Assert.DoesNotContain("\"from\"", heard[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_notification_that_cannot_be_parsed_clears_the_cache()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        await using var second = await SecondAsync(fixture, new ManualTimeProvider(DateTimeOffset.UtcNow));
        var id = NewUser(fixture);
        await WarmAsync(fixture, second, id);
        var cap = 5;
        // News of the opening may still be under way.
        await Eventually.TrueAsync(
            async () =>
            {
                var remembered = (await GetAsync(fixture, second, id))["monthly_cap"];
                await fixture.Database.ExecuteAsync(
                    $"set credit_bridge.quiet = 'on'; update user_credits set monthly_cap = {++cap}; reset credit_bridge.quiet");
                return (await GetAsync(fixture, second, id))["monthly_cap"] == remembered;
            },
            "a change without notification is not read again");
        await fixture.Database.ExecuteAsync("notify credit_balances, 'what?'");
        await Eventually.TrueAsync(
            async () => (await GetAsync(fixture, second, id))["monthly_cap"] == $"{cap}.000000", "it was read again");
    }

    private static string NewUser(CreditsFixture fixture)
    {
        var user = new EmulatedUser(EmulatedUser.NewId(), "ana") { Email = "ana@example.com", EmailVerified = true };
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        return user.Id;
    }

    private static async Task<BridgeFixture> SecondAsync(CreditsFixture fixture, ManualTimeProvider clock,
        params (string Key, string? Value)[] more)
    {
        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Url);
        settings["Keycloak:Realms:1:Name"] = CreditsFixture.Other;
        settings["Provisioning:AccountId"] =
            fixture.Bridge.Services.GetRequiredService<Microsoft.Extensions.Configuration.IConfiguration>()["Provisioning:AccountId"]
                ?? "{id}";
        var bridge = await BridgeFixture.Build(settings, clock, more).StartAsync();
        var cache = bridge.Services.GetRequiredService<BalanceCache>();
        // What fails at first is tried again by the bridge's clock, which therefore runs until it listens.
        await Eventually.TrueAsync(
            () => { clock.Advance(TimeSpan.FromMilliseconds(20)); return cache.IsListening; }, "the second replica listens");
        return bridge;
    }

    private static async Task WarmAsync(CreditsFixture fixture, BridgeFixture bridge, string id)
    {
        var cache = bridge.Services.GetRequiredService<BalanceCache>();
        await Eventually.TrueAsync(() => cache.IsListening, "the bridge listens");
        Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(id))).Status);
        // The hint of the first read is evaluated: nothing but the test writes from here on.
        await Eventually.TrueAsync(async () => await fixture.Database.ScalarAsync<bool>("select not exists (select from user_hints)"),
            "all hints are evaluated");
        await Eventually.TrueAsync(
            async () =>
            {
                await GetAsync(fixture, bridge, id);
                return !(await ReadAsync(bridge, "metrics")).Contains(
                    "bridge_balance_reads_total{from=\"memory\"} 0\n", StringComparison.Ordinal);
            },
            "balances are remembered");
    }

    private static async Task<string> BalanceAsync(CreditsFixture fixture, BridgeFixture bridge, string id) =>
        (await GetAsync(fixture, bridge, id)).Body;

    private static async Task<ApiReply> GetAsync(CreditsFixture fixture, BridgeFixture bridge, string id)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(bridge.Url, CreditsFixture.Balance));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", fixture.TokenOf(id));
        return await ApiReply.OfAsync(await http.SendAsync(request, TestContext.Current.CancellationToken));
    }

    private static async Task<string> ReadAsync(BridgeFixture bridge, string path)
    {
        using var answer = await bridge.GetAsync(path);
        return await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
    }
}
