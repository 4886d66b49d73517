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

    [Fact]
    public async Task A_hold_is_rejected_appealed_and_approved_each_once_and_its_user_sees_no_score()
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, ("Grants:Fraud:Enabled", "true"), ("Grants:Fraud:Key", new string('f', 32)),
            ("Provisioning:SignupGrant:EmailKey", new string('k', 32)));
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

    private static async Task OpenAsync(CreditsFixture fixture, string id, string address)
    {
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(new EmulatedUser(id, $"name-of-{id}") { Email = address });
        await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(id));
        await fixture.HintsDoneAsync();
    }

    private static JsonObject Copy(JsonObject body) => body.DeepClone().AsObject();

    private static string? Text(JsonNode node, string name) => (string?)node[name];
}
