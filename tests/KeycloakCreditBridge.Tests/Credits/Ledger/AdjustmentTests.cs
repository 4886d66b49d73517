using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

public sealed class AdjustmentTests(PostgresFixture postgres) : OneAccountTests(postgres)
{
    [Fact]
    public async Task An_adjustment_goes_either_way_with_its_reason_and_is_not_usage()
    {
        Assert.Equal("7.500000", (await AdjustAsync("2.5"))["balance"]);
        Assert.Equal("4.500000", (await AdjustAsync(-3))["balance"]);
        Assert.Equal(
            "purchase 5.000000 5.000000, adjustment 2.500000 7.500000, adjustment -3.000000 4.500000", await Fixture.LedgerOfAsync(Id));
        Assert.Equal(
            ["chargeback 2.500000", "chargeback -3.000000"],
            await Fixture.Database.QueryAsync<string>(
                "select concat_ws(' ', metadata ->> 'reason', metadata ->> 'amount') from audit_logs where action = 'credit.adjust' order "
                    + "by id"));
        var usage = await Fixture.GetAsync("api/v1/credits/usage/summary", Fixture.TokenOf(Id));
        Assert.Equal((0, "0.000000"), ((int)usage.Json["total_events"]!, usage["total_cost"]));
    }

    [Fact]
    public async Task An_adjustment_goes_below_zero_only_when_asked()
    {
        var refused = await AdjustAsync("-5.000001");
        Assert.Equal((HttpStatusCode.PaymentRequired, "5.000000", "5.000001"), (refused.Status, refused["balance"], refused["needed"]));
        Assert.Contains("allow_negative", refused.Detail, StringComparison.Ordinal);
        Assert.Equal("-1.000000", (await AdjustAsync(-6, allowNegative: true))["balance"]);
        Assert.Equal("-0.500000", (await AdjustAsync("0.5"))["balance"]);
    }

    [Theory]
    [InlineData("held", "disabled")]
    [InlineData("closed", "deleted")]
    public async Task Held_and_closed_accounts_are_adjusted_and_keep_their_status(string status, string reason)
    {
        await Fixture.Database.ExecuteAsync("update user_credits set status = @status, status_reason = @reason", new { status, reason });
        Assert.Equal(("6.000000", status), (await AdjustAsync(1) is var up ? up["balance"] : null, up["status"]));
        Assert.Equal("2.000000", (await AdjustAsync(-4))["balance"]);
        Assert.Equal("-8.000000", (await AdjustAsync(-10, allowNegative: true))["balance"]);
    }

    [Theory]
    [InlineData("0", "is 0")]
    [InlineData("\"-0.000000\"", "is 0")]
    [InlineData("-0.0000001", "has more than six decimals")]
    [InlineData("-100000000000000", "is more than 99999999999999.999999")]
    [InlineData("\"NaN\"", "is not a decimal number")]
    [InlineData("null", "is missing")]
    public async Task An_invalid_amount_is_refused_by_name(string amount, string problem)
    {
        var body = $$"""{"user_id":"{{Id}}","amount":{{amount}},"reason":"r"}""";
        var answer = await Fixture.SendAsync(HttpMethod.Post, CreditsFixture.Adjust, Admin, body, null);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains($"'amount' {problem}", answer.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_adjustment_needs_a_reason_and_an_administrator_and_is_done_once_for_its_key()
    {
        var answer = await Fixture.PostAsync(CreditsFixture.Adjust, Admin, new JsonObject { ["user_id"] = Id, ["amount"] = 1 });
        Assert.Equal((HttpStatusCode.BadRequest, "'reason' is missing."), (answer.Status, answer.Detail));
        var body = new JsonObject { ["user_id"] = Id, ["amount"] = 1, ["reason"] = "r" };
        Assert.Equal(
            HttpStatusCode.Forbidden, (await Fixture.PostAsync(CreditsFixture.Adjust, Fixture.TokenOf("s1", CreditsFixture.Service),
                body)).Status);
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Fixture.PostAsync(CreditsFixture.Adjust, Admin, body,
            "key-1")));
        Assert.Equal("6.000000", Assert.Single(answers.Select(reply => reply["balance"]).Distinct()));
    }

    private Task<ApiReply> AdjustAsync(JsonNode amount, bool? allowNegative = null) => Fixture.PostAsync(
        CreditsFixture.Adjust, Admin,
        new JsonObject { ["user_id"] = Id, ["amount"] = amount, ["reason"] = "chargeback", ["allow_negative"] = allowNegative });
}
