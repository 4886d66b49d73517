using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Where releases of Keycloak differ and the bridge follows the current user.</summary>
public sealed class ReleaseTests(KeycloakFixture servers, PostgresFixture postgres)
{
    [Theory]
    [InlineData(KeycloakKind.Emulator, true)]
    [InlineData(KeycloakKind.Emulator26_8, false)]
    public async Task Linking_a_provider_makes_a_user_eligible_only_where_it_verifies_the_address(KeycloakKind kind, bool verifies)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind);
        await fixture.StartBridgeAsync(("Provisioning:Eligibility:EmailVerified", "true"));
        var id = await fixture.CreateUserAsync("linked");
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(
                "select exists (select from keycloak_users where keycloak_id = @id and user_state = 'excluded')", new { id }),
            "the user with an unverified address is excluded");
        await fixture.WaitForPolledCreationAsync(id);
        var evaluated = await fixture.CheckedAtAsync(id);

        await fixture.Emulated!.LinkByEmailAsync(id, "corp");
        await fixture.WaitForReevaluationAsync(id, evaluated);

        Assert.Equal(verifies, await fixture.Database.HasAccountAsync(id));
        await fixture.UpdateUserAsync(id, new JsonObject { ["emailVerified"] = true });
        await Eventually.TrueAsync(() => fixture.Database.HasAccountAsync(id), "the account is opened");
    }
}
