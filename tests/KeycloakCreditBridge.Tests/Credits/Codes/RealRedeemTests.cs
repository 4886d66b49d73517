using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Tests.Api.Tokens;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Credits.Codes;

/// <summary>A user of a real Keycloak redeems codes and verifies the address.</summary>
public sealed class RealRedeemTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const string Redeem = "api/v1/credits/codes/redeem";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task A_user_redeems_with_a_token_of_Keycloak_s(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Nothing);
        await fixture.LaunchBridgeAsync(("Reconciliation:Enabled", "false"), ("Grants:Codes:Key", new string('k', 32)));
        await fixture.Bridge.Services.GetRequiredService<SchemaGate>().WaitAsync(Token);
        var maker = fixture.Bridge.Services.GetRequiredService<CampaignMaker>();
        var campaign = new NewCampaign(fixture.Realm, "spring", 2m, null, null, null, [], 1, 9, "SPRING-2027", "test");
        await maker.CreateAsync(campaign, Token);
        await maker.CreateAsync(campaign with { Name = "verified", Word = "VERIFIED", Requires = ["email_verified"] }, Token);
        var id = await fixture.CreateUserAsync("testuser");
        var token = await RealTokenTests.PasswordTokenAsync(fixture, "credits-demo");

        // A busy server may not tell a realm's keys in the time that a caller has.
        await Eventually.TrueAsync(
            async () => (await RedeemAsync("NO-SUCH-CODE")).Status == HttpStatusCode.NotFound, "the realm tells its keys");
        var (status, first) = await RedeemAsync("spring 2027");
        Assert.Equal((HttpStatusCode.Created, "7.000000"), (status, (string?)first["balance"]));
        Assert.Equal(HttpStatusCode.OK, (await RedeemAsync("SPRING2027")).Status);

        Assert.Equal(HttpStatusCode.Accepted, (await RedeemAsync("VERIFIED")).Status);
        await fixture.Admin.UpdateUserAsync(fixture.Realm, id, new JsonObject { ["emailVerified"] = true }, Token);
        var (verified, second) = await RedeemAsync("VERIFIED");
        Assert.Equal((HttpStatusCode.Created, "9.000000"), (verified, (string?)second["balance"]));
        Assert.Equal(
            "2 2",
            await fixture.Database.ScalarAsync<string>(
                "select (select sum(redeemed) from codes) || ' ' || (select count(*) from code_redemptions where state = 'paid')"));

        Task<(HttpStatusCode Status, JsonNode Answer)> RedeemAsync(string code) =>
            RealTokenTests.AskAsync(fixture, HttpMethod.Post, Redeem, token, RedeemRouteTests.Body(code));
    }
}
