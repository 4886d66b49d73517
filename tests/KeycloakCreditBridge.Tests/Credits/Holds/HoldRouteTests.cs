using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Holds;

/// <summary>Administrators decide held grants over HTTP, and users make appeals.</summary>
public sealed class HoldRouteTests(PostgresFixture postgres)
{
    private const string Holds = "api/v1/credits/holds";
    private const string Appeal = "api/v1/credits/grants/welcome/appeal";

    private static readonly JsonObject Please = new() { ["text"] = "We are two in one office." };

    private static readonly (string, string?)[] On =
    [
        ("Grants:Fraud:Enabled", "true"), ("Grants:Fraud:Key", new string('f', 32)),
        ("Provisioning:SignupGrant:EmailKey", new string('k', 32)),
    ];

    [Fact]
    public async Task A_hold_is_rejected_appealed_and_approved_each_once_and_its_user_sees_no_score()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, On);
        await OpenAsync(fixture, "ana", "ana.b@gmail.com");
        await OpenAsync(fixture, "bob", "anab+2@gmail.com");
        Assert.Equal((5m, 0m), (await fixture.BalanceOfAsync("ana"), await fixture.BalanceOfAsync("bob")));
        var (admin, user) = (fixture.TokenOf("boss", CreditsFixture.Admin), fixture.TokenOf("bob"));
        var hold = (await fixture.GetAsync($"{Holds}?state=held&signal=same_inbox&at_least=40", admin)).Json.AsArray().Single()!;
        Assert.Equal(("bob", "welcome", "5.000000"), (Text(hold, "user_id"), Text(hold, "grant_key"), Text(hold, "amount")));
        var one = $"{Holds}/{Text(hold, "id")}";
        Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync(one, admin)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await fixture.GetAsync(one, user)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync($"{Holds}/{Guid.NewGuid()}", admin)).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await fixture.GetAsync($"{Holds}?state=open", admin)).Status);
        Assert.Equal("in_review", await StateAsync());

        Assert.Equal(HttpStatusCode.Conflict, (await fixture.PostAsync(Appeal, user, Copy(Please))).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await fixture.PostAsync($"{one}/reject", admin, [])).Status);
        Assert.Equal("rejected", (await fixture.PostAsync($"{one}/reject", admin, new() { ["version"] = 1, ["note"] = "farm" }))["state"]);
        var stale = await fixture.PostAsync($"{one}/approve", admin, new() { ["version"] = 1 });
        Assert.Equal(HttpStatusCode.Conflict, stale.Status);
        Assert.Contains("The hold is rejected by boss, version 2", stale.Detail, StringComparison.Ordinal);
        Assert.Equal("refused", await StateAsync());

        Assert.Equal(HttpStatusCode.BadRequest, (await fixture.PostAsync(Appeal, user, [])).Status);
        Assert.Equal("in_review", (await fixture.PostAsync(Appeal, user, Copy(Please)))["state"]);
        Assert.Equal(HttpStatusCode.Conflict, (await fixture.PostAsync(Appeal, user, Copy(Please))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync(Appeal, fixture.TokenOf("ana"), Copy(Please))).Status);

        var many = new JsonObject { ["decision"] = "approve", ["signal"] = "same_inbox" };
        Assert.Equal(1, (int)(await fixture.PostAsync($"{Holds}/decide", admin, Copy(many))).Json["holds"]!);
        many["confirm"] = 2;
        Assert.Equal(HttpStatusCode.Conflict, (await fixture.PostAsync($"{Holds}/decide", admin, Copy(many))).Status);
        many["confirm"] = 1;
        Assert.Equal(1, (int)(await fixture.PostAsync($"{Holds}/decide", admin, Copy(many))).Json["decided"]!);
        Assert.Equal("5.000000", (await fixture.GetAsync(CreditsFixture.Balance, user))["balance"]);

        async Task<string?> StateAsync()
        {
            var grants = await fixture.GetAsync("api/v1/credits/grants", user);
            Assert.DoesNotContain("score", grants.Body, StringComparison.Ordinal);
            Assert.DoesNotContain("inbox", grants.Body, StringComparison.Ordinal);
            return Text(grants.Json["offers"]!.AsArray().Single()!, "state");
        }
    }

    [Fact]
    public async Task Of_two_operators_who_decide_at_once_one_is_told_that_the_other_did()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, On);
        await OpenAsync(fixture, "ana", "ana.b@gmail.com");
        await OpenAsync(fixture, "bob", "anab+2@gmail.com");
        var hold = (await fixture.GetAsync(Holds, fixture.TokenOf("boss", CreditsFixture.Admin))).Json.AsArray().Single()!;
        (string Name, string Decision)[] operators = [("boss", "approve"), ("chief", "reject")];
        var replies = await Task.WhenAll(operators.Select(one => fixture.PostAsync(
            $"{Holds}/{Text(hold, "id")}/{one.Decision}", fixture.TokenOf(one.Name, CreditsFixture.Admin), new() { ["version"] = 1 })));
        var first = Array.FindIndex(replies, reply => reply.Status == HttpStatusCode.OK);
        var second = replies[1 - first];
        Assert.Equal(HttpStatusCode.Conflict, second.Status);
        Assert.Contains($"by {operators[first].Name}, version 2", second.Detail, StringComparison.Ordinal);
        Assert.Equal(first == 0 ? 5m : 0m, await fixture.BalanceOfAsync("bob"));
    }

    private static async Task OpenAsync(CreditsFixture fixture, string id, string address)
    {
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(new EmulatedUser(id, $"name-of-{id}") { Email = address });
        await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(id));
        await fixture.HintsDoneAsync();
    }

    private static JsonObject Copy(JsonObject body) => body.DeepClone().AsObject();

    private static string? Text(JsonNode node, string name) => (string?)node[name];
}
