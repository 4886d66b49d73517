using System.Text.Json.Nodes;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Api.Tokens;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Credits.Holds;

/// <summary>Two users of a real Keycloak register with addresses of one inbox.</summary>
public sealed class RealHoldTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const string Grants = "api/v1/credits/grants";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task The_second_one_is_held_approved_and_paid(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        await fixture.StartBridgeAsync(
            ("Grants:Fraud:Enabled", "true"), ("Grants:Fraud:Key", new string('f', 32)),
            ("Provisioning:SignupGrant:EmailKey", new string('k', 32)));
        await fixture.Browser.RegisterAsync(fixture.Realm, new SandboxUser("ana", "ana.b@gmail.com"), Token);
        var ana = await fixture.IdOfAsync("ana");
        await Eventually.TrueAsync(async () => await BalanceAsync(ana) == 5m, "the first one is paid");

        await fixture.Browser.RegisterAsync(fixture.Realm, new SandboxUser("testuser", "anab+2@gmail.com"), Token);
        var bob = await fixture.IdOfAsync("testuser");
        var holds = fixture.Bridge.Services.GetRequiredService<HoldListStore>();
        IReadOnlyList<ListedHold> held = [];
        await Eventually.TrueAsync(
            async () => (held = await holds.ListAsync(new HoldFilter([fixture.Realm], HoldState.Held), 10, Token)).Count > 0,
            "the second one is held");
        Assert.Equal((bob, "welcome", 0m), (held[0].AccountId, held[0].GrantKey, await BalanceAsync(bob)));
        Assert.Contains("same_inbox", held[0].Signals, StringComparison.Ordinal);

        // The user sees that it is in review, and nothing of why.
        var token = await RealTokenTests.PasswordTokenAsync(fixture, "credits-demo");
        var answer = await ShownAsync();
        Assert.Equal(("welcome", "in_review"), ((string?)answer["offers"]![0]!["grant_key"], (string?)answer["offers"]![0]!["state"]));
        Assert.DoesNotContain("score", answer.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("inbox", answer.ToJsonString(), StringComparison.Ordinal);

        var decided = await fixture.Bridge.Services.GetRequiredService<HoldBook>().DecideAsync(
            new HoldDecision(held[0].Id, held[0].Version, HoldState.Approved, "operator"), [fixture.Realm], Token);
        Assert.Equal((DecisionOutcome.Done, 5m), (decided.Outcome, await BalanceAsync(bob)));
        Assert.Equal("5.000000", (string?)(await ShownAsync())["balance"]);

        async Task<JsonNode> ShownAsync()
        {
            var shown = (JsonNode)new JsonObject();
            // A busy server may not tell a realm's keys in the time that a caller has.
            await Eventually.TrueAsync(
                async () => (shown = (await RealTokenTests.AskAsync(fixture, HttpMethod.Get, Grants, token)).Answer)["offers"] is not null,
                "the user sees the grants");
            return shown;
        }

        Task<decimal> BalanceAsync(string account) => fixture.Database.ScalarAsync<decimal>(
            "select coalesce((select credits_remaining from user_credits where user_id = @Id), -1)", new { Id = account });
    }
}
