using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Metering.Gate;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Credits.Tiers;

public sealed class ProRateTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string HalfwaySql = "update user_credits set last_reset = now() + interval '15 days'";
    private const string SwitchedSql = "select sum(amount) from credit_transactions where metadata ->> 'reason' = 'tier_switch'";
    private const string LedgerSql =
        "select string_agg(round(amount, 2) || ' to ' || round(balance_after, 2), ', ' order by created_at) from credit_transactions "
            + "where transaction_type = 'adjustment'";

    private CreditsFixture _fixture = null!;
    private string _id = "";

    public async ValueTask InitializeAsync()
    {
        _fixture = await CreditsFixture.StartAsync(postgres, ("Provisioning:ProRate", "true"));
        _id = await _fixture.AddUserAsync();
        await _fixture.Database.ExecuteAsync(HalfwaySql);
    }

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task A_switch_up_and_down_moves_the_difference_for_the_rest_of_the_period()
    {
        var answer = await SwitchAsync("professional");
        Assert.StartsWith("27.49", answer["pro_rated"], StringComparison.Ordinal);
        Assert.StartsWith("32.49", answer["balance"], StringComparison.Ordinal);
        Assert.InRange(decimal.Parse((await SwitchAsync("starter"))["pro_rated"]!, CultureInfo.InvariantCulture), -20m, -19.99m);
        Assert.Equal("27.50 to 32.50, -20.00 to 12.50", await _fixture.Database.ScalarAsync<string>(LedgerSql));
        Assert.Equal(2, await _fixture.Database.ScalarAsync<int>(
            "select count(*)::int from audit_logs a join credit_transactions t on a.metadata ->> 'pro_rated' = t.amount::text where "
                + "a.action = 'tier.switch'"));
    }

    [Fact]
    public async Task The_same_tier_again_moves_nothing()
    {
        Assert.Equal("0.000000", (await SwitchAsync("trial"))["pro_rated"]);
        Assert.Null(await _fixture.Database.ScalarAsync<string>(LedgerSql));
    }

    [Fact]
    public async Task On_the_way_down_it_takes_what_is_there_and_forgives_no_debt()
    {
        await SwitchAsync("professional");
        await DeductAsync("30");
        await SwitchAsync("free");
        Assert.Equal(0m, await _fixture.BalanceOfAsync(_id));
        await SwitchAsync("professional");
        await _fixture.Database.ExecuteAsync(
            """
            with debt as (update user_credits set credits_remaining = credits_remaining - 100 returning user_id)
            insert into credit_transactions (user_id, amount, transaction_type) select user_id, -100, 'usage' from debt
            """);
        var before = await _fixture.BalanceOfAsync(_id);
        Assert.Equal("0.000000", (await SwitchAsync("free"))["pro_rated"]);
        Assert.Equal(before, await _fixture.BalanceOfAsync(_id));
    }

    [Fact]
    public async Task Going_up_and_down_and_spending_in_between_gives_the_difference_once()
    {
        for (var round = 0; round < 3; round++)
        {
            await SwitchAsync("professional");
            await DeductAsync((await _fixture.BalanceOfAsync(_id)).ToString(CultureInfo.InvariantCulture));
            await SwitchAsync("trial");
        }

        Assert.Equal(27.5m, Math.Round(await _fixture.Database.ScalarAsync<decimal>(SwitchedSql), 2));
    }

    [Fact]
    public async Task Sixteen_switches_at_once_beside_deducts_give_the_difference_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
        {
            await SwitchAsync("professional");
            await DeductAsync("27");
            await SwitchAsync("trial");
        }));
        Assert.InRange(await _fixture.Database.ScalarAsync<decimal>(SwitchedSql), decimal.MinValue, 27.5m);
    }

    [Fact]
    public async Task An_account_whose_date_is_its_creation_is_pro_rated_to_the_end_that_everything_else_names()
    {
        await _fixture.Database.ExecuteAsync(
            "update user_credits set created_at = now() - interval '15 days', last_reset = now() - interval '15 days'");
        var end = DateTimeOffset.UtcNow.AddDays(15);
        var answer = await SwitchAsync("professional");
        Assert.StartsWith("27.49", answer["pro_rated"], StringComparison.Ordinal);
        Assert.InRange(DateTimeOffset.Parse(answer["reset_date"]!, CultureInfo.InvariantCulture), end.AddMinutes(-5), end.AddMinutes(5));
        Assert.Equal(answer["reset_date"], (await _fixture.GetAsync(CreditsFixture.Balance, _fixture.TokenOf(_id)))["reset_date"]);
        Assert.InRange(
            (await _fixture.Bridge.Services.GetRequiredService<AccountViewStore>().AccountAsync(_id,
            TestContext.Current.CancellationToken))!.PeriodEnd!.Value,
            end.AddMinutes(-5), end.AddMinutes(5));
        Assert.InRange(
            (await _fixture.Bridge.Services.GetRequiredService<GateStore>().FindAsync(_id, ["demo"],
            TestContext.Current.CancellationToken))!.PeriodEnd!.Value,
            end.AddMinutes(-5), end.AddMinutes(5));
    }

    [Theory]
    [InlineData("update user_credits set created_at = now() - interval '60 days', last_reset = now() - interval '1 day'", "professional")]
    [InlineData("update user_credits set last_reset = null, created_at = null", "professional")]
    [InlineData("update user_credits set unlimited = true, tier = 'enterprise'", "professional")]
    [InlineData(HalfwaySql, "enterprise")]
    public async Task Nothing_moves_without_a_rest_of_the_period_or_with_an_unlimited_tier(string sql, string tier)
    {
        await _fixture.Database.ExecuteAsync(sql);
        Assert.Equal("0.000000", (await SwitchAsync(tier))["pro_rated"]);
        Assert.Equal(5m, await _fixture.BalanceOfAsync(_id));
    }

    [Fact]
    public async Task Deducts_at_the_same_moment_are_not_lost()
    {
        await Task.WhenAll([.. Enumerable.Range(0, 20).Select(_ => DeductAsync("0.1")), SwitchAsync("starter"), SwitchAsync("professional"),
            SwitchAsync("trial")]);
        Assert.Equal(20, await _fixture.Database.ScalarAsync<int>(
            "select count(*)::int from credit_transactions where transaction_type = 'usage'"));
    }

    [Fact]
    public async Task A_switch_that_is_sent_again_under_its_key_is_done_once()
    {
        var first = await SwitchAsync("professional", "k-1");
        await SwitchAsync("trial", "k-2");
        var balance = await _fixture.BalanceOfAsync(_id);

        var again = await SwitchAsync("professional", "k-1");

        Assert.Equal((first.Status, first.Body), (again.Status, again.Body));
        Assert.Equal(balance, await _fixture.BalanceOfAsync(_id));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await SwitchAsync("starter", "k-1")).Status);
        var twins = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SwitchAsync("starter", "k-3")));
        Assert.Single(twins.Select(reply => reply.Body).Distinct());
        Assert.Equal(3, await _fixture.Database.ScalarAsync<int>("select count(*)::int from audit_logs where action = 'tier.switch'"));
    }

    private Task<ApiReply> SwitchAsync(string tier, string? key = null) => _fixture.PostAsync(
        "api/v1/credits/tiers/switch", _fixture.TokenOf(
            "a1", CreditsFixture.Admin), new JsonObject { ["user_id"] = _id, ["new_tier"] = tier },
        key);

    private Task<ApiReply> DeductAsync(string amount) => _fixture.PostAsync(
        CreditsFixture.Deduct, _fixture.TokenOf("s1", CreditsFixture.Service),
        new JsonObject { ["user_id"] = _id, ["amount"] = amount, ["service"] = "s" });
}
