using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Credits.Ledger;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Grants;

public sealed class GrantRouteTests(PostgresFixture postgres) : OneAccountTests(postgres)
{
    private const string Grants = "api/v1/credits/grants";

    [Fact]
    public async Task A_user_sees_each_own_grant_with_what_is_left_of_it_and_its_end()
    {
        var end = DateTimeOffset.UtcNow.AddDays(3);
        var key = await AllocateAsync(new JsonObject { ["amount"] = "2.5", ["type"] = "bonus", ["expires_at"] = $"{end:O}" });
        await TakeAsync(1);
        var answer = await Fixture.GetAsync(Grants, Fixture.TokenOf(Id));
        Assert.Equal((HttpStatusCode.OK, "6.500000", "0.000000"), (answer.Status, answer["balance"], answer["debt"]));
        Assert.Equal(
            [$"{key} 2.500000 1.500000 promotional 50", "signup 5.000000 5.000000 promotional 50"],
            answer.Json["grants"]!.AsArray().Select(grant => $"{grant!["grant_key"]} {grant["amount"]} {grant["remainder"]} "
                + $"{grant["category"]} {grant["priority"]}"));
        Assert.Equal("initial_allocation", (string?)answer.Json["grants"]![1]!["reason"]);
        Assert.Null(answer.Json["grants"]![1]!["expires_at"]);
        var soon = Assert.Single(answer.Json["expiring"]!.AsArray())!;
        Assert.Equal((key, "1.500000"), ((string)soon["grant_key"]!, (string)soon["amount"]!));
        Assert.InRange((DateTimeOffset)soon["expires_at"]!, end.AddSeconds(-1), end.AddSeconds(1));
    }

    [Fact]
    public async Task Other_users_grants_are_for_services_and_administrators_of_the_realm()
    {
        var path = $"{Grants}?user_id={Id}";
        Assert.Equal(HttpStatusCode.OK, (await Fixture.GetAsync(path, Service)).Status);
        Assert.Equal(HttpStatusCode.OK, (await Fixture.GetAsync(path, Admin)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await Fixture.GetAsync(path, Fixture.TokenOf("ben"))).Status);
        Assert.Equal(
            HttpStatusCode.NotFound,
            (await Fixture.GetAsync(path, Fixture.TokenOf("ops", CreditsFixture.Other, [CreditsFixture.Admin]))).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await VoidAsync("signup", token: Service)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await ExtendAsync("signup", new JsonObject { ["priority"] = 1 }, Service)).Status);
    }

    [Fact]
    public async Task A_balance_says_what_ends_within_seven_days_and_otherwise_nothing_of_ends()
    {
        var usual = (await Fixture.GetAsync(CreditsFixture.Balance, Fixture.TokenOf(Id))).Json.AsObject();
        Assert.DoesNotContain("expiring", usual.Select(member => member.Key));
        await AllocateAsync(new JsonObject { ["amount"] = 1, ["expires_at"] = $"{DateTimeOffset.UtcNow.AddDays(8):O}" });
        Assert.Null((await BalanceAsync())["expiring"]);
        var key = await AllocateAsync(new JsonObject { ["amount"] = 2, ["expires_at"] = $"{DateTimeOffset.UtcNow.AddDays(6):O}" });
        var balance = await BalanceAsync();
        var soon = Assert.Single(balance["expiring"]!.AsArray())!;
        Assert.Equal(("8.000000", key, "2.000000"), ((string)balance["balance"]!, (string)soon["grant_key"]!, (string)soon["amount"]!));
        await TakeAsync(2);
        Assert.Null((await BalanceAsync())["expiring"]);
    }

    [Theory]
    [InlineData("expires_at", "\"tomorrow\"", "an instant")]
    [InlineData("expires_at", "0", "an instant")]
    [InlineData("expires_at", "\"2999-01-01T00:00:00Z\"", "more than 10 years ahead")]
    [InlineData("priority", "-1", "from 0 to 100")]
    [InlineData("priority", "101", "from 0 to 100")]
    [InlineData("priority", "1.5", "from 0 to 100")]
    [InlineData("category", "\"free\"", "is none of promotional, paid")]
    [InlineData("amount", "0", "not more than 0")]
    [InlineData("amount", "-1", "negative")]
    [InlineData("amount", "1e30", "is not a decimal number")]
    [InlineData("amount", "0.0000001", "six decimals")]
    public async Task A_grant_is_refused_with_the_field_that_is_wrong(string field, string value, string problem)
    {
        var body = new JsonObject { ["user_id"] = Id, ["amount"] = 1, ["source"] = "s", ["type"] = "bonus" };
        body[field] = JsonNode.Parse(value);
        var answer = await Fixture.PostAsync(CreditsFixture.Allocate, Admin, body);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains(problem, (string)answer.Json["errors"]![field]![0]!, StringComparison.Ordinal);
        Assert.Equal(5m, await Fixture.BalanceOfAsync(Id));
    }

    [Fact]
    public async Task Credits_that_ended_before_they_were_granted_are_granted_and_booked_out_at_once()
    {
        var key = await AllocateAsync(new JsonObject { ["amount"] = 3, ["expires_at"] = $"{DateTimeOffset.UtcNow.AddDays(-1):O}" });
        Assert.Equal(
            "purchase 5.000000 5.000000, purchase 3.000000 8.000000, adjustment -3.000000 5.000000", await Fixture.LedgerOfAsync(Id));
        Assert.Equal("5.000000", (string?)(await BalanceAsync())["balance"]);
        Assert.Equal(key, await Fixture.Database.ScalarAsync<string>(
            "select metadata ->> 'grant' from audit_logs where user_id = @Id and action = 'credit.expired'", new { Id }));
    }

    [Fact]
    public async Task A_void_takes_what_is_left_and_is_done_once()
    {
        var key = await AllocateAsync(new JsonObject { ["amount"] = 4, ["type"] = "bonus", ["priority"] = 0 });
        await TakeAsync(1);
        var first = await VoidAsync(key);
        Assert.Equal((HttpStatusCode.OK, "3.000000", "5.000000"), (first.Status, first["taken"], first["balance"]));
        Assert.Equal("5.000000", (string?)(await BalanceAsync())["balance"]);
        var again = await VoidAsync(key);
        Assert.Equal((HttpStatusCode.Conflict, key), (again.Status, again["grant_key"]));
        Assert.Contains("voided before", again.Detail, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Conflict, (await ExtendAsync(key, new JsonObject { ["expires_at"] = null })).Status);
        Assert.Equal(
            "void", await Fixture.Database.ScalarAsync<string>(
                "select metadata ->> 'reason' from credit_transactions where grant_key = @Row", new { Row = $"void:{key}" }));
    }

    [Fact]
    public async Task Sixteen_voids_at_once_take_the_grant_once()
    {
        var key = await AllocateAsync(new JsonObject { ["amount"] = 4, ["type"] = "bonus" });
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => VoidAsync(key)));
        Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
        Assert.Equal(15, answers.Count(answer => answer.Status == HttpStatusCode.Conflict));
        Assert.Equal(5m, await Fixture.BalanceOfAsync(Id));
    }

    [Fact]
    public async Task An_end_is_moved_taken_away_and_set_to_now_and_never_after_it_has_come()
    {
        var key = await AllocateAsync(new JsonObject { ["amount"] = 2, ["expires_at"] = $"{DateTimeOffset.UtcNow.AddDays(1):O}" });
        var later = DateTimeOffset.UtcNow.AddDays(30);
        var moved = await ExtendAsync(key, new JsonObject { ["expires_at"] = $"{later:O}", ["priority"] = 7 });
        Assert.Equal((HttpStatusCode.OK, 7), (moved.Status, (int)moved.Json["priority"]!));
        Assert.InRange((DateTimeOffset)moved.Json["expires_at"]!, later.AddSeconds(-1), later.AddSeconds(1));
        Assert.Null((await ExtendAsync(key, new JsonObject { ["expires_at"] = null })).Json["expires_at"]);
        Assert.Equal(7m, await Fixture.BalanceOfAsync(Id));
        var ended = await ExtendAsync(key, new JsonObject { ["expires_at"] = $"{DateTimeOffset.UtcNow.AddHours(-1):O}" });
        Assert.Equal((HttpStatusCode.OK, "0.000000", "expired"), (ended.Status, ended["remainder"], ended["close_reason"]));
        Assert.Equal(5m, await Fixture.BalanceOfAsync(Id));
        var late = await ExtendAsync(key, new JsonObject { ["expires_at"] = $"{later:O}" });
        Assert.Equal(HttpStatusCode.Conflict, late.Status);
        Assert.Contains("give a new one", late.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_opening_grant_gets_an_end_and_ends()
    {
        var soon = await ExtendAsync("signup", new JsonObject { ["expires_at"] = $"{DateTimeOffset.UtcNow.AddDays(2):O}" });
        Assert.Equal((HttpStatusCode.OK, "5.000000", "initial_allocation"), (soon.Status, soon["remainder"], soon["reason"]));
        await ExtendAsync("signup", new JsonObject { ["expires_at"] = $"{DateTimeOffset.UtcNow:O}" });
        Assert.Equal("0.000000", (string?)(await BalanceAsync())["balance"]);
    }

    [Fact]
    public async Task Void_and_extension_name_what_is_wrong()
    {
        Assert.Equal(HttpStatusCode.NotFound, (await VoidAsync("no-such-grant")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await VoidAsync($"tx:{Guid.NewGuid()}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await VoidAsync(new string('x', 1_000))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await ExtendAsync("no-such-grant", new JsonObject { ["priority"] = 1 })).Status);
        var more = new JsonObject { ["beyond"] = "more" };
        Assert.Contains("beyond", await ProblemAsync(VoidAsync("signup", more)), StringComparison.Ordinal);
        Assert.Contains("reason", await ProblemAsync(VoidAsync("signup", new JsonObject { ["reason"] = "" })), StringComparison.Ordinal);
        Assert.Contains("expires_at", await ProblemAsync(ExtendAsync("signup", [])), StringComparison.Ordinal);
        Assert.Contains(
            "priority", await ProblemAsync(ExtendAsync("signup", new JsonObject { ["priority"] = 101 })), StringComparison.Ordinal);
        Assert.Contains(
            "10 years", await ProblemAsync(ExtendAsync("signup", new JsonObject { ["expires_at"] = "2999-01-01T00:00:00Z" })),
            StringComparison.Ordinal);
        Assert.Equal(5m, await Fixture.BalanceOfAsync(Id));

        static async Task<string> ProblemAsync(Task<ApiReply> answer)
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await answer).Status);
            return (await answer).Detail;
        }
    }

    private async Task<JsonNode> BalanceAsync() => (await Fixture.GetAsync(CreditsFixture.Balance, Fixture.TokenOf(Id))).Json;

    private async Task TakeAsync(decimal amount) => Assert.Equal(
        HttpStatusCode.OK,
        (await Fixture.PostAsync(CreditsFixture.Deduct, Service, Body(amount, ("service", "s")))).Status);

    /// <summary>The key of the grant.</summary>
    private async Task<string> AllocateAsync(JsonObject body)
    {
        (body["user_id"], body["source"]) = (Id, "test");
        var answer = await Fixture.PostAsync(CreditsFixture.Allocate, Admin, body);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Body);
        return (await Fixture.Database.ScalarAsync<string>(
            "select 'tx:' || id from credit_transactions where user_id = @Id and grant_key is null and amount > 0 "
                + "order by created_at desc limit 1",
            new { Id }))!;
    }

    private Task<ApiReply> VoidAsync(string key, JsonObject? more = null, string? token = null)
    {
        var body = new JsonObject { ["user_id"] = Id, ["reason"] = "fraud" };
        foreach (var (name, value) in more ?? [])
            body[name] = value?.DeepClone();
        return Fixture.PostAsync($"{Grants}/{key}/void", token ?? Admin, body);
    }

    private Task<ApiReply> ExtendAsync(string key, JsonObject body, string? token = null)
    {
        body["user_id"] = Id;
        return Fixture.SendAsync(HttpMethod.Patch, $"{Grants}/{key}", token ?? Admin, body.ToJsonString(), null);
    }
}
