using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

public sealed class LedgerWriterTests(PostgresFixture postgres) : IAsyncLifetime
{
    private CreditsFixture _fixture = null!;
    private string _admin = "";
    private string _service = "";
    private string _id = "";

    public async ValueTask InitializeAsync()
    {
        _fixture = await CreditsFixture.StartAsync(postgres);
        (_admin, _service) = (_fixture.TokenOf("a1", CreditsFixture.Admin), _fixture.TokenOf("s1", CreditsFixture.Service));
        _id = await _fixture.AddUserAsync();
    }

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task Each_change_updates_the_balance_and_writes_one_ledger_row()
    {
        Assert.Equal("15.000000",
            (await _fixture.PostAsync(CreditsFixture.Allocate, _admin, Body(10, ("source", "invoice 7"))))["balance"]);
        Assert.Equal(
            "16.500000", (await _fixture.PostAsync(CreditsFixture.Allocate, _admin,
            Body("1.5", ("source", "thanks"), ("type", "bonus"))))["balance"]);
        Assert.Equal(
            "16.499947", (await _fixture.PostAsync(CreditsFixture.Deduct, _service,
            Body("0.000053", ("service", "openai"), ("model", "gpt"))))["credits_remaining"]);
        Assert.Equal("17.499947", (await _fixture.PostAsync(CreditsFixture.Refund, _admin, Body(1m, ("reason", "outage"))))["balance"]);
        Assert.Equal(
            "purchase 5.000000 5.000000, purchase 10.000000 15.000000, bonus 1.500000 16.500000, usage -0.000053 16.499947, refund "
                + "1.000000 17.499947",
            await _fixture.LedgerOfAsync(_id));
        Assert.Equal(
            ["credit.create", "credit.allocate", "credit.allocate", "credit.refund"],
            await _fixture.Database.QueryAsync<string>("select action from audit_logs order by id"));
        Assert.Equal(
            """{"by": "a1", "source": "invoice 7"}""",
            await _fixture.Database.ScalarAsync<string>("select metadata::text from credit_transactions where amount = 10"));
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
        var body = $$"""{"user_id":"{{_id}}","amount":{{amount}},"source":"s","reason":"r","service":"s"}""";
        foreach (var path in (string[])[CreditsFixture.Allocate, CreditsFixture.Refund, CreditsFixture.Deduct])
        {
            var answer = await _fixture.SendAsync(HttpMethod.Post, path, _admin, body, null);
            Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
            Assert.Contains($"'amount' {problem}", answer.Detail, StringComparison.Ordinal);
            Assert.NotNull(answer.Json["errors"]!["amount"]);
        }

        Assert.Equal(5m, await _fixture.BalanceOfAsync(_id));
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
        var answer = await _fixture.SendAsync(HttpMethod.Post, CreditsFixture.Allocate, _admin, body, null);
        Assert.Equal((HttpStatusCode.BadRequest, problem), (answer.Status, answer.Detail));
    }

    [Fact]
    public async Task What_the_database_cannot_store_is_refused()
    {
        var body = $$$"""{"user_id":"{{{_id}}}","amount":1,"source":"s","metadata":{"a":"\u0000"}}""";
        Assert.Equal(HttpStatusCode.BadRequest, (await _fixture.SendAsync(HttpMethod.Post, CreditsFixture.Allocate, _admin, body,
            null)).Status);
        var most = Body("99999999999999.999999", ("source", "s"));
        Assert.Equal("'amount' is more than the account can hold.",
            (await _fixture.PostAsync(CreditsFixture.Allocate, _admin, most)).Detail);
        Assert.Equal(5m, await _fixture.BalanceOfAsync(_id));
    }

    [Fact]
    public async Task A_balance_that_does_not_suffice_is_answered_402_with_what_is_needed_and_stays()
    {
        var answer = await _fixture.PostAsync(CreditsFixture.Deduct, _service, Body("5.000001", ("service", "s")));
        Assert.Equal((HttpStatusCode.PaymentRequired, "5.000000", "5.000001"), (answer.Status, answer["balance"], answer["needed"]));
        Assert.Equal("purchase 5.000000 5.000000", await _fixture.LedgerOfAsync(_id));
    }

    [Fact]
    public async Task Fifty_deducts_at_once_take_what_there_is_and_never_more()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => _fixture.PostAsync(CreditsFixture.Deduct, _service,
            Body("0.3", ("service", "s")))));
        Assert.Equal(16, answers.Count(answer => answer.Status == HttpStatusCode.OK));
        Assert.Equal(34, answers.Count(answer => answer.Status == HttpStatusCode.PaymentRequired));
        Assert.All(
            answers.Where(answer => answer.Status != HttpStatusCode.OK),
            answer => Assert.True(decimal.Parse(answer["balance"]!, null) < decimal.Parse(answer["needed"]!, null)));
        Assert.Equal(0.2m, await _fixture.BalanceOfAsync(_id));
        Assert.Equal(
            0, await _fixture.Database.ScalarAsync<int>(
                "select count(*)::int - count(distinct balance_after)::int from credit_transactions"));
    }

    [Fact]
    public async Task An_unlimited_account_is_metered_and_not_bounded()
    {
        await _fixture.Database.ExecuteAsync("update user_credits set unlimited = true, monthly_cap = null");
        Assert.Equal("-95.000000", (await _fixture.PostAsync(CreditsFixture.Deduct, _service, Body(100, ("service", "s"))))["balance"]);
    }

    [Fact]
    public async Task A_held_account_can_be_credited_but_not_charged_and_a_closed_one_neither()
    {
        await StatusAsync("held", "disabled");
        var refused = await _fixture.PostAsync(CreditsFixture.Deduct, _service, Body(1, ("service", "s")));
        Assert.Equal((HttpStatusCode.Forbidden, "held", "disabled"), (refused.Status, refused["account_status"], refused["reason"]));
        Assert.Equal("6.000000", (await _fixture.PostAsync(CreditsFixture.Refund, _admin, Body(1, ("reason", "r"))))["balance"]);
        await StatusAsync("closed", "deleted");
        foreach (var path in (string[])[CreditsFixture.Allocate, CreditsFixture.Refund, CreditsFixture.Deduct])
        {
            var answer = await _fixture.PostAsync(path, _admin, Body(1, ("reason", "r"), ("source", "s"), ("service", "s")));
            Assert.Equal((HttpStatusCode.Conflict, "closed", "deleted"), (answer.Status, answer["account_status"], answer["reason"]));
        }

        Assert.Equal(6m, await _fixture.BalanceOfAsync(_id));
    }

    [Fact]
    public async Task The_same_key_and_body_get_the_same_answer_byte_for_byte_and_another_body_is_refused()
    {
        var first = await _fixture.PostAsync(CreditsFixture.Allocate, _admin, Body(10, ("source", "invoice")), "key-1");
        Assert.Equal(HttpStatusCode.OK, (await _fixture.PostAsync(CreditsFixture.Deduct, _service, Body(1, ("service", "s")))).Status);
        var second = await _fixture.PostAsync(CreditsFixture.Allocate, _admin, Body(10, ("source", "invoice")), "key-1");
        Assert.Equal((first.Status, first.Body), (second.Status, second.Body));
        var other = await _fixture.PostAsync(CreditsFixture.Allocate, _admin, Body(11, ("source", "invoice")), "key-1");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.Status);
        // Another route is another request, and another caller's keys are their own.
        Assert.Equal(
            HttpStatusCode.UnprocessableEntity, (await _fixture.PostAsync(CreditsFixture.Refund, _admin, Body(10, ("source", "invoice"),
                ("reason", "r")), "key-1")).Status);
        Assert.Equal(HttpStatusCode.OK, (await _fixture.PostAsync(CreditsFixture.Deduct, _service, Body(1, ("service", "s")),
            "key-1")).Status);
        Assert.Equal(13m, await _fixture.BalanceOfAsync(_id));
    }

    [Fact]
    public async Task Sixteen_requests_at_once_under_one_key_change_the_balance_once_and_answer_the_same()
    {
        for (var round = 0; round < 10; round++)
        {
            var key = $"round-{round}";
            var answers = await Task.WhenAll(
                Enumerable.Range(0, 16).Select(
                    _ => _fixture.PostAsync(CreditsFixture.Deduct, _service, Body("0.1", ("service", "s")), key)));
            Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
            Assert.Single(answers.Select(answer => answer.Body).Distinct(StringComparer.Ordinal));
        }

        Assert.Equal(4m, await _fixture.BalanceOfAsync(_id));
    }

    [Fact]
    public async Task A_request_refused_for_lack_of_credits_succeeds_later_under_the_same_key()
    {
        var body = Body(7, ("service", "s"));
        Assert.Equal(HttpStatusCode.PaymentRequired, (await _fixture.PostAsync(CreditsFixture.Deduct, _service, body, "k")).Status);
        await _fixture.PostAsync(CreditsFixture.Allocate, _admin, Body(10, ("source", "invoice")));
        Assert.Equal("8.000000", (await _fixture.PostAsync(CreditsFixture.Deduct, _service, body, "k"))["balance"]);
    }

    [Fact]
    public async Task An_invalid_key_is_refused() =>
        Assert.Equal(
            HttpStatusCode.BadRequest, (await _fixture.PostAsync(CreditsFixture.Deduct, _service, Body(1, ("service", "s")),
                new string('k', 256))).Status);

    [Fact]
    public async Task Keys_older_than_they_are_kept_are_forgotten()
    {
        await _fixture.PostAsync(CreditsFixture.Deduct, _service, Body(1, ("service", "s")), "young");
        await _fixture.Database.ExecuteAsync(
            """
            insert into idempotency_keys (caller, key, body_hash, answer, kept_at)
            select 'demo/s1', 'old-' || n, '', '{}', now() - interval '8 days' from generate_series(1, 2500) n
            """);
        var purge = _fixture.Bridge.Services.GetServices<IHostedService>().OfType<IdempotencyPurge>().Single();
        await purge.PurgeAsync(TestContext.Current.CancellationToken);
        // The service's own purge at its start may have taken a part of them.
        await Eventually.TrueAsync(
            () => _fixture.Database.ScalarAsync<bool>("select count(*) = 1 from idempotency_keys"), "all old ones are forgotten");
        Assert.Equal(["young"], await _fixture.Database.QueryAsync<string>("select key from idempotency_keys"));
    }

    [Fact]
    public async Task A_deduct_for_a_user_without_an_account_opens_it_first()
    {
        var user = new EmulatedUser(Guid.NewGuid().ToString(), "new");
        _fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        var body = new JsonObject { ["user_id"] = user.Id, ["amount"] = 1, ["service"] = "s" };
        Assert.Equal("4.000000", (await _fixture.PostAsync(CreditsFixture.Deduct, _service, body))["balance"]);
    }

    [Fact]
    public async Task Users_track_their_own_usage_and_pay_unless_it_is_free()
    {
        var token = _fixture.TokenOf(_id);
        var paid = await _fixture.PostAsync(
            CreditsFixture.Track, token, new JsonObject { ["service"] = "openai", ["model"] = "gpt", ["tokens"] = 1200,
                ["cost"] = "0.25" }, "t-1");
        Assert.Equal(("4.750000", "0.250000", "openai"), (paid["balance"], paid["charged"], paid["service"]));
        var free = await _fixture.PostAsync(CreditsFixture.Track, token, new JsonObject { ["service"] = "openai", ["cost"] = "0.5",
            ["is_free"] = true });
        Assert.Equal(("4.750000", "0.000000", true), (free["balance"], free["charged"], (bool)free.Json["is_free"]!));
        var other = new JsonObject { ["service"] = "openai", ["cost"] = "0.5", ["user_id"] = await _fixture.AddUserAsync() };
        Assert.Equal(HttpStatusCode.Forbidden, (await _fixture.PostAsync(CreditsFixture.Track, token, other)).Status);
        Assert.Equal("purchase 5.000000 5.000000, usage -0.250000 4.750000, usage 0.000000 4.750000", await _fixture.LedgerOfAsync(_id));
    }

    private JsonObject Body(JsonNode amount, params (string Name, string Value)[] more)
    {
        var body = new JsonObject { ["user_id"] = _id, ["amount"] = amount };
        foreach (var (name, value) in more)
            body[name] = value;
        return body;
    }

    private Task<int> StatusAsync(string status, string reason) =>
        _fixture.Database.ExecuteAsync("update user_credits set status = @Status, status_reason = @Reason", new { Status = status,
            Reason = reason });
}
