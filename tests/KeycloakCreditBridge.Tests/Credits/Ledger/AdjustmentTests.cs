using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

public sealed class AdjustmentTests(PostgresFixture postgres) : IAsyncLifetime
{
    private CreditsFixture _fixture = null!;
    private string _admin = "";
    private string _id = "";

    public async ValueTask InitializeAsync()
    {
        _fixture = await CreditsFixture.StartAsync(postgres);
        _admin = _fixture.TokenOf("a1", CreditsFixture.Admin);
        _id = await _fixture.AddUserAsync();
    }

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task An_adjustment_goes_either_way_with_its_reason_and_is_not_usage()
    {
        Assert.Equal("7.500000", (await AdjustAsync("2.5"))["balance"]);
        Assert.Equal("4.500000", (await AdjustAsync(-3))["balance"]);
        Assert.Equal(
            "purchase 5.000000 5.000000, adjustment 2.500000 7.500000, adjustment -3.000000 4.500000", await _fixture.LedgerOfAsync(_id));
        Assert.Equal(
            ["chargeback 2.500000", "chargeback -3.000000"],
            await _fixture.Database.QueryAsync<string>(
                "select concat_ws(' ', metadata ->> 'reason', metadata ->> 'amount') from audit_logs where action = 'credit.adjust' order "
                    + "by id"));
        var usage = await _fixture.GetAsync("api/v1/credits/usage/summary", _fixture.TokenOf(_id));
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
        await _fixture.Database.ExecuteAsync("update user_credits set status = @status, status_reason = @reason", new { status, reason });
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
        var body = $$"""{"user_id":"{{_id}}","amount":{{amount}},"reason":"r"}""";
        var answer = await _fixture.SendAsync(HttpMethod.Post, CreditsFixture.Adjust, _admin, body, null);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains($"'amount' {problem}", answer.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_adjustment_needs_a_reason_and_an_administrator_and_is_done_once_for_its_key()
    {
        var answer = await _fixture.PostAsync(CreditsFixture.Adjust, _admin, new JsonObject { ["user_id"] = _id, ["amount"] = 1 });
        Assert.Equal((HttpStatusCode.BadRequest, "'reason' is missing."), (answer.Status, answer.Detail));
        var body = new JsonObject { ["user_id"] = _id, ["amount"] = 1, ["reason"] = "r" };
        Assert.Equal(
            HttpStatusCode.Forbidden, (await _fixture.PostAsync(CreditsFixture.Adjust, _fixture.TokenOf("s1", CreditsFixture.Service),
                body)).Status);
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _fixture.PostAsync(CreditsFixture.Adjust, _admin, body,
            "key-1")));
        Assert.Equal("6.000000", Assert.Single(answers.Select(reply => reply["balance"]).Distinct()));
    }

    private Task<ApiReply> AdjustAsync(JsonNode amount, bool? allowNegative = null) => _fixture.PostAsync(
        CreditsFixture.Adjust, _admin,
        new JsonObject { ["user_id"] = _id, ["amount"] = amount, ["reason"] = "chargeback", ["allow_negative"] = allowNegative });
}
