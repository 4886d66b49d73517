using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

public sealed class RefundTests(PostgresFixture postgres) : OneAccountTests(postgres)
{
    [Fact]
    public async Task A_refund_of_a_usage_gives_back_at_most_what_it_took()
    {
        var usage = await DeductAsync(3);
        Assert.Equal("4.000000", (await RefundAsync(2, usage))["balance"]);
        var refused = await RefundAsync("1.000001", usage);
        Assert.Equal((HttpStatusCode.Conflict, "1.000000"), (refused.Status, refused["refundable"]));
        Assert.Equal("5.000000", (await RefundAsync(1, usage))["balance"]);
        Assert.Equal((HttpStatusCode.Conflict, "0.000000"),
            (await RefundAsync("0.000001", usage) is var last ? last.Status : default, last["refundable"]));
        Assert.Equal(
            2, await Fixture.Database.ScalarAsync<int>(
                "select count(*)::int from credit_transactions where transaction_type = 'refund' and metadata ->> 'refunds' = @usage",
                new { usage }));
    }

    [Fact]
    public async Task A_refund_names_a_usage_of_the_account()
    {
        var usage = await DeductAsync(1);
        var grant = await Fixture.Database.ScalarAsync<string>(
            "select id::text from credit_transactions where user_id = @Id and grant_key = 'signup'", new { Id });
        var mine = Id;
        Id = await Fixture.AddUserAsync();
        string[] wrong = [usage, $"{Guid.NewGuid()}", "x", "7"];
        foreach (var refunds in wrong)
            await RefusedAsync(refunds);
        Id = mine;
        await RefusedAsync(grant!);
        Assert.Equal(4m, await Fixture.BalanceOfAsync(mine));

        async Task RefusedAsync(string refunds)
        {
            var answer = await RefundAsync(1, refunds);
            Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
            Assert.NotNull(answer.Json["errors"]!["refunds"]);
        }
    }

    [Fact]
    public async Task Sixteen_refunds_at_once_give_back_no_more_than_the_usage_took()
    {
        var usage = await DeductAsync(5);
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => RefundAsync(1, usage)));
        Assert.Equal(5, answers.Count(answer => answer.Status == HttpStatusCode.OK));
        Assert.Equal(11, answers.Count(answer => answer.Status == HttpStatusCode.Conflict));
        Assert.Equal(5m, await Fixture.BalanceOfAsync(Id));
    }

    [Fact]
    public async Task A_refund_sent_again_under_its_key_is_done_once()
    {
        var usage = await DeductAsync(2);
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => RefundAsync(2, usage, "key-1")));
        Assert.Single(answers.Select(answer => (answer.Status, answer.Body)).Distinct());
        Assert.Equal(5m, await Fixture.BalanceOfAsync(Id));
    }

    [Fact]
    public async Task A_closed_account_takes_no_refund_and_its_usage_stays_refundable()
    {
        var usage = await DeductAsync(1);
        await Fixture.Database.ExecuteAsync("update user_credits set status = 'closed', status_reason = 'deleted'");
        Assert.Equal(HttpStatusCode.Conflict, (await RefundAsync(1, usage)).Status);
        await Fixture.Database.ExecuteAsync("update user_credits set status = 'held', status_reason = 'disabled'");
        Assert.Equal("5.000000", (await RefundAsync(1, usage))["balance"]);
    }

    private Task<ApiReply> RefundAsync(JsonNode amount, string refunds, string? key = null) => Fixture.PostAsync(
        CreditsFixture.Refund, Admin, new JsonObject { ["user_id"] = Id, ["amount"] = amount, ["reason"] = "outage",
        ["refunds"] = refunds }, key);

    private async Task<string> DeductAsync(decimal amount)
    {
        var body = new JsonObject { ["user_id"] = Id, ["amount"] = amount, ["service"] = "s",
            ["metadata"] = new JsonObject { ["refunds"] = "all" } };
        Assert.Equal(HttpStatusCode.OK, (await Fixture.PostAsync(CreditsFixture.Deduct, Service, body)).Status);
        return (await Fixture.Database.ScalarAsync<string>(
            "select id::text from credit_transactions where user_id = @Id and transaction_type = 'usage' and metadata ->> 'refunds' is "
                + "null",
            new { Id }))!;
    }
}
