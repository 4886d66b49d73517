using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Booking;

/// <summary>Nothing that ended is shown or spent, with or without a sweep.</summary>
public sealed class EndedCreditsTests(PostgresFixture postgres) : EndingAccount(postgres)
{
    [Fact]
    public async Task The_opening_grant_is_stamped_with_its_end()
    {
        Assert.Equal("5.000000", await BalanceAsync());
        Assert.Equal(
            ["signup 5.000000 promotional 50 30 days"],
            await Fixture.Database.QueryAsync<string>(
                "select concat_ws(' ', g.grant_key, g.amount, g.category, g.priority, date_trunc('day', g.expires_at - g.granted_at "
                    + "+ interval '1 minute')) from credit_grants g join user_credits c on c.user_id = g.user_id "
                    + "and c.next_expiry = g.expires_at where g.user_id = @Id",
                new { Id }));
    }

    [Fact]
    public async Task A_balance_read_shows_nothing_that_ended()
    {
        await EndAsync();
        Assert.Equal("0.000000", await BalanceAsync());
        Assert.Equal("signup 5, expire:signup -5", await LedgerAsync());
    }

    [Fact]
    public async Task A_charge_spends_nothing_that_ended_and_all_that_has_not()
    {
        await BuyAsync(3);
        await EndAsync();
        Assert.Equal(HttpStatusCode.PaymentRequired, (await DeductAsync(4)).Status);
        Assert.Equal("0.000000", (await DeductAsync(3))["balance"]);
        Assert.Equal("signup 5, purchase 3, expire:signup -5, usage -3", await LedgerAsync());
    }

    [Fact]
    public async Task Spending_and_refunding_does_not_renew_a_credit()
    {
        var usage = await UsageAsync(5);
        await EndAsync();
        var refund = await RefundAsync(5, usage, "one");
        Assert.Equal((HttpStatusCode.OK, "0.000000"), (refund.Status, refund["balance"]));
        Assert.Equal("0.000000", (await RefundAsync(5, usage, "one"))["balance"]);
        Assert.Equal(HttpStatusCode.Conflict, (await RefundAsync(1, usage)).Status);
        Assert.Equal("signup 5, usage -5, refund 5, expire:signup -5", await LedgerAsync());
    }

    [Fact]
    public async Task A_second_refund_to_an_ended_grant_is_booked_out_too()
    {
        var usage = await UsageAsync(5);
        await EndAsync();
        await RefundAsync(2, usage);
        Assert.Equal("0.000000", (await RefundAsync(3, usage))["balance"]);
        Assert.Equal("signup 5, usage -5, refund 2, expire:signup -2, refund 3, expire:signup#2 -3", await LedgerAsync());
    }

    [Fact]
    public async Task A_refund_returns_to_bought_credits_what_they_paid()
    {
        await BuyAsync(10);
        var usage = await UsageAsync(8);
        await EndAsync();
        Assert.Equal("7.000000", await BalanceAsync());
        Assert.Equal("10.000000", (await RefundAsync(4, usage))["balance"]);
    }

    [Fact]
    public async Task A_switch_of_the_tier_counts_nothing_that_ended()
    {
        await EndAsync();
        var answer = await Fixture.PostAsync(
            "api/v1/credits/tiers/switch", Admin, new JsonObject { ["user_id"] = Id, ["new_tier"] = "starter" });
        Assert.Equal((HttpStatusCode.OK, "0.000000"), (answer.Status, answer["balance"]));
    }

    [Fact]
    public async Task An_adjustment_takes_nothing_from_what_ended()
    {
        await EndAsync();
        var order = new JsonObject { ["user_id"] = Id, ["amount"] = -1, ["reason"] = "a mistake" };
        Assert.Equal(HttpStatusCode.PaymentRequired, (await Fixture.PostAsync(CreditsFixture.Adjust, Admin, order)).Status);
    }

    [Theory]
    [InlineData("00:00:00", "00:00:00")]
    [InlineData("-01:00:00", "-01:00:00")]
    [InlineData("3651.00:00:00", "3651.00:00:00")]
    public async Task An_end_that_cannot_be_stops_the_start(string value, string shown)
    {
        var exception = await Assert.ThrowsAnyAsync<Exception>(
            () => BridgeFixture.Build(
                BridgeFixture.Settings(Fixture.Database.ConnectionString, Fixture.Keycloak.Url), ("Grants:Opening:ExpiresAfter", value))
                .StartAsync());
        Assert.Contains(
            $"Grants:Opening:ExpiresAfter is {shown}: choose an hour to 3650 days", exception.Message, StringComparison.Ordinal);
    }
}
