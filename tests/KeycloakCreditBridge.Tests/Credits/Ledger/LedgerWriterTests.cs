using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

public sealed class LedgerWriterTests(PostgresFixture postgres) : OneAccountTests(postgres)
{
    [Fact]
    public async Task Each_change_updates_the_balance_and_writes_one_ledger_row()
    {
        Assert.Equal("15.000000",
            (await Fixture.PostAsync(CreditsFixture.Allocate, Admin, Body(10, ("source", "invoice 7"))))["balance"]);
        Assert.Equal(
            "16.500000", (await Fixture.PostAsync(CreditsFixture.Allocate, Admin,
            Body("1.5", ("source", "thanks"), ("type", "bonus"))))["balance"]);
        Assert.Equal(
            "16.499947", (await Fixture.PostAsync(CreditsFixture.Deduct, Service,
            Body("0.000053", ("service", "openai"), ("model", "gpt"))))["credits_remaining"]);
        Assert.Equal("17.499947", (await Fixture.PostAsync(CreditsFixture.Refund, Admin, Body(1m, ("reason", "outage"))))["balance"]);
        Assert.Equal(
            "purchase 5.000000 5.000000, purchase 10.000000 15.000000, bonus 1.500000 16.500000, usage -0.000053 16.499947, refund "
                + "1.000000 17.499947",
            await Fixture.LedgerOfAsync(Id));
        Assert.Equal(
            ["credit.create", "credit.allocate", "credit.allocate", "credit.refund"],
            await Fixture.Database.QueryAsync<string>("select action from audit_logs order by id"));
        Assert.Equal(
            """{"by": "a1", "source": "invoice 7"}""",
            await Fixture.Database.ScalarAsync<string>("select metadata::text from credit_transactions where amount = 10"));
    }

    [Theory]
    [InlineData("0", "is not more than 0")]
    [InlineData("\"0.000000\"", "is not more than 0")]
    [InlineData("-1", "is negative")]
    [InlineData("\"-0.000001\"", "is negative")]
    [InlineData("\"NaN\"", "is not a decimal number")]
    [InlineData("\"Infinity\"", "is not a decimal number")]
    [InlineData("1e400", "is not a decimal number")]
    [InlineData("\"1e400\"", "is not a decimal number")]
    [InlineData("0.0000001", "has more than six decimals")]
    [InlineData("\"1.0000001\"", "has more than six decimals")]
    [InlineData("1.00000000000000000000000000001", "is not a decimal number")]
    [InlineData("100000000000000", "is more than 99999999999999.999999")]
    [InlineData("\"1,5\"", "is not a decimal number")]
    [InlineData("\"\"", "is not a decimal number")]
    [InlineData("\"five\"", "is not a decimal number")]
    [InlineData("true", "is not a decimal number")]
    [InlineData("[1]", "is not a decimal number")]
    [InlineData("null", "is missing")]
    public async Task An_invalid_amount_is_refused_by_name(string amount, string problem)
    {
        var body = $$"""{"user_id":"{{Id}}","amount":{{amount}},"source":"s","reason":"r","service":"s"}""";
        foreach (var path in (string[])[CreditsFixture.Allocate, CreditsFixture.Refund, CreditsFixture.Deduct])
        {
            var answer = await Fixture.SendAsync(HttpMethod.Post, path, Admin, body, null);
            Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
            Assert.Contains($"'amount' {problem}", answer.Detail, StringComparison.Ordinal);
            Assert.NotNull(answer.Json["errors"]!["amount"]);
        }

        Assert.Equal(5m, await Fixture.BalanceOfAsync(Id));
    }

    [Theory]
    [InlineData("", "The body is not JSON, or names a field twice.")]
    [InlineData("{", "The body is not JSON, or names a field twice.")]
    [InlineData("[]", "The body is not a JSON object.")]
    [InlineData("{}", "'user_id' is missing. 'amount' is missing. 'source' is missing.")]
    [InlineData("""{"user_id":7,"amount":1,"source":"s"}""", "'user_id' is not text.")]
    [InlineData("""{"user_id":"a\u0000b","amount":1,"source":"s"}""", "'user_id' contains a zero character.")]
    [InlineData("""{"user_id":"u","amount":1,"source":"s","type":"usage"}""", "'type' is none of purchase, bonus.")]
    [InlineData("""{"user_id":"u","amount":1,"source":"s","metadata":"m"}""", "'metadata' is not an object.")]
    public async Task A_wrong_body_is_refused_with_all_its_problems(string body, string problem)
    {
        var answer = await Fixture.SendAsync(HttpMethod.Post, CreditsFixture.Allocate, Admin, body, null);
        Assert.Equal((HttpStatusCode.BadRequest, problem), (answer.Status, answer.Detail));
    }

    [Fact]
    public async Task What_the_database_cannot_store_is_refused()
    {
        var body = $$$"""{"user_id":"{{{Id}}}","amount":1,"source":"s","metadata":{"a":"\u0000"}}""";
        Assert.Equal(HttpStatusCode.BadRequest, (await Fixture.SendAsync(HttpMethod.Post, CreditsFixture.Allocate, Admin, body,
            null)).Status);
        var most = Body("99999999999999.999999", ("source", "s"));
        Assert.Equal("'amount' is more than the account can hold.",
            (await Fixture.PostAsync(CreditsFixture.Allocate, Admin, most)).Detail);
        Assert.Equal(5m, await Fixture.BalanceOfAsync(Id));
    }

    [Fact]
    public async Task A_balance_that_does_not_suffice_is_answered_402_with_what_is_needed_and_stays()
    {
        var answer = await Fixture.PostAsync(CreditsFixture.Deduct, Service, Body("5.000001", ("service", "s")));
        Assert.Equal((HttpStatusCode.PaymentRequired, "5.000000", "5.000001"), (answer.Status, answer["balance"], answer["needed"]));
        Assert.Equal("purchase 5.000000 5.000000", await Fixture.LedgerOfAsync(Id));
    }

    [Fact]
    public async Task Fifty_deducts_at_once_take_what_there_is_and_never_more()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Fixture.PostAsync(CreditsFixture.Deduct, Service,
            Body("0.3", ("service", "s")))));
        Assert.Equal(16, answers.Count(answer => answer.Status == HttpStatusCode.OK));
        Assert.Equal(34, answers.Count(answer => answer.Status == HttpStatusCode.PaymentRequired));
        Assert.All(
            answers.Where(answer => answer.Status != HttpStatusCode.OK),
            answer => Assert.True(decimal.Parse(answer["balance"]!, null) < decimal.Parse(answer["needed"]!, null)));
        Assert.Equal(0.2m, await Fixture.BalanceOfAsync(Id));
        Assert.Equal(
            0, await Fixture.Database.ScalarAsync<int>(
                "select count(*)::int - count(distinct balance_after)::int from credit_transactions"));
    }

    [Fact]
    public async Task An_unlimited_account_is_metered_and_not_bounded()
    {
        await Fixture.Database.ExecuteAsync("update user_credits set unlimited = true, monthly_cap = null");
        Assert.Equal("-95.000000", (await Fixture.PostAsync(CreditsFixture.Deduct, Service, Body(100, ("service", "s"))))["balance"]);
    }

    [Fact]
    public async Task A_held_account_can_be_credited_but_not_charged_and_a_closed_one_neither()
    {
        await StatusAsync("held", "disabled");
        var refused = await Fixture.PostAsync(CreditsFixture.Deduct, Service, Body(1, ("service", "s")));
        Assert.Equal((HttpStatusCode.Forbidden, "held", "disabled"), (refused.Status, refused["account_status"], refused["reason"]));
        Assert.Equal("6.000000", (await Fixture.PostAsync(CreditsFixture.Refund, Admin, Body(1, ("reason", "r"))))["balance"]);
        await StatusAsync("closed", "deleted");
        foreach (var path in (string[])[CreditsFixture.Allocate, CreditsFixture.Refund, CreditsFixture.Deduct])
        {
            var answer = await Fixture.PostAsync(path, Admin, Body(1, ("reason", "r"), ("source", "s"), ("service", "s")));
            Assert.Equal((HttpStatusCode.Conflict, "closed", "deleted"), (answer.Status, answer["account_status"], answer["reason"]));
        }

        Assert.Equal(6m, await Fixture.BalanceOfAsync(Id));
    }

    [Fact]
    public async Task A_deduct_for_a_user_without_an_account_opens_it_first()
    {
        var user = new EmulatedUser(Guid.NewGuid().ToString(), "new");
        Fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        var body = new JsonObject { ["user_id"] = user.Id, ["amount"] = 1, ["service"] = "s" };
        Assert.Equal("4.000000", (await Fixture.PostAsync(CreditsFixture.Deduct, Service, body))["balance"]);
    }

    [Fact]
    public async Task Users_track_their_own_usage_and_pay_unless_it_is_free()
    {
        var token = Fixture.TokenOf(Id);
        var paid = await Fixture.PostAsync(
            CreditsFixture.Track, token, new JsonObject { ["service"] = "openai", ["model"] = "gpt", ["tokens"] = 1200,
                ["cost"] = "0.25" }, "t-1");
        Assert.Equal(("4.750000", "0.250000", "openai"), (paid["balance"], paid["charged"], paid["service"]));
        var free = await Fixture.PostAsync(CreditsFixture.Track, token, new JsonObject { ["service"] = "openai", ["cost"] = "0.5",
            ["is_free"] = true });
        Assert.Equal(("4.750000", "0.000000", true), (free["balance"], free["charged"], (bool)free.Json["is_free"]!));
        var other = new JsonObject { ["service"] = "openai", ["cost"] = "0.5", ["user_id"] = await Fixture.AddUserAsync() };
        Assert.Equal(HttpStatusCode.Forbidden, (await Fixture.PostAsync(CreditsFixture.Track, token, other)).Status);
        Assert.Equal("purchase 5.000000 5.000000, usage -0.250000 4.750000, usage 0.000000 4.750000", await Fixture.LedgerOfAsync(Id));
    }

    private Task<int> StatusAsync(string status, string reason) =>
        Fixture.Database.ExecuteAsync("update user_credits set status = @Status, status_reason = @Reason", new { Status = status,
            Reason = reason });
}
