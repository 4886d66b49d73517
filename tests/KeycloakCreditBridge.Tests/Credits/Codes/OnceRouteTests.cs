using System.Collections.Immutable;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Codes;

/// <summary>Campaigns that pay an address once pay an identity at a provider once too.</summary>
public sealed class OnceRouteTests(PostgresFixture postgres)
{
    [Fact]
    public async Task The_place_of_a_user_whose_identity_was_paid_under_another_address_is_given_back()
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, ("Grants:Codes:Key", new string('k', 32)), ("Provisioning:SignupGrant:EmailKey", new string('e', 32)));
        var code = await RedeemRouteTests.MakeAsync(fixture, new JsonObject
        {
            ["name"] = "spring", ["credits"] = 2, ["code"] = "SPRING-2027", ["max_redemptions"] = 9, ["once"] = "email",
        });
        foreach (var (id, subject) in ((string, string)[])[("ana", "42"), ("bob", "42"), ("cem", "43")])
        {
            fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(new EmulatedUser(id, $"name-of-{id}")
            {
                Email = $"{id}@example.com", EmailVerified = true,
                Identities = ImmutableDictionary<string, string>.Empty.Add("google", subject),
            });
            await fixture.PostAsync("api/v1/credits/codes/redeem", fixture.TokenOf(id), RedeemRouteTests.Body(code));
            await Eventually.TrueAsync(
                () => fixture.Database.ScalarAsync<bool>(
                    "select state <> 'held' from code_redemptions where user_id = @id", new { id }),
                "the place is decided");
        }

        Assert.Equal(
            ["ana paid", "bob rejected claim_taken", "cem paid"],
            await fixture.Database.QueryAsync<string>(
                "select concat_ws(' ', user_id, state, decided_by) from code_redemptions order by 1"));
        Assert.Equal(2, await fixture.Database.ScalarAsync<int>("select redeemed::int from codes"));
    }
}
