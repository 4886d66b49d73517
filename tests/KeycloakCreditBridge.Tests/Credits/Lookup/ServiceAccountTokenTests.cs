using System.Net;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Lookup;

/// <summary>
/// A client mapper may give a service account any name in its tokens. The token's id, which says how it was requested, it cannot set.
/// </summary>
public sealed class ServiceAccountTokenTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData("trrtcc:5b6d0d2e")]
    [InlineData("onrtcc:5b6d0d2e")]
    [InlineData("onrtrt:5b6d0d2e")]
    [InlineData("5b6d0d2e")]
    [InlineData(null)]
    public async Task A_service_account_with_the_name_of_a_user_opens_no_account(string? tokenId)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var robot = new EmulatedUser(EmulatedUser.NewId(), "service-account-shop") { ServiceAccountClientId = "shop" };
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(robot);
        var claims = fixture.Claims(robot.Id, username: "ana");
        claims["jti"] = tokenId;

        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync(CreditsFixture.Balance, fixture.Sign(claims))).Status);

        Assert.Empty(await fixture.Database.QueryAsync<string>("select user_id from user_credits"));
    }

    [Fact]
    public async Task A_user_whose_token_does_not_say_how_it_was_requested_is_read_from_Keycloak()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var ana = new EmulatedUser(EmulatedUser.NewId(), "ana") { CreatedTimestamp = 1_700_000_000_000 };
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(ana);
        var claims = fixture.Claims(ana.Id, username: "ana");
        claims.Remove("jti");
        Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync(CreditsFixture.Balance, fixture.Sign(claims))).Status);
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from keycloak_users where created_at is not null"));
    }
}
