using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;

public sealed class BrokerTests(ContractFixtures fixtures) : IClassFixture<ContractFixtures>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_that_abandons_the_last_step_of_a_first_login_is_found_by_reconciliation(KeycloakKind kind)
    {
        var fixture = await StartAsync(kind);
        var partner = await BrokerRealm.CreateAsync(fixture, "hesitant");
        await partner.AbandonLoginAsync();
        await fixture.CreateKnownAsync("later");
        var id = await fixture.IdOfAsync("hesitant");
        Assert.False(await fixture.Database.HasAccountAsync(id));
        await fixture.ReconcileAsync();
        await fixture.Database.AssertOpenedAsync(id, HintSources.Reconciliation);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_whose_address_a_provider_changes_at_a_login_is_reevaluated(KeycloakKind kind)
    {
        var fixture = await StartAsync(kind);
        var partner = await BrokerRealm.CreateAsync(fixture, "forced", "FORCE");
        await partner.LoginAsync();
        var id = await fixture.IdOfAsync("forced");
        await fixture.Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll);
        await fixture.CreateKnownAsync("between");
        var (before, checkedAt) = (await fixture.Database.RecordOfAsync(id), await fixture.CheckedAtAsync(id));

        await partner.ChangeAddressAsync("elsewhere@example.com");
        await partner.LoginAsync();
        await fixture.WaitForReevaluationAsync(id, checkedAt);
        Assert.Equal("elsewhere@example.com", (string?)(await fixture.Admin.FindUserAsync(fixture.Realm, "forced", Token))!["email"]);
        Assert.Equal(before, await fixture.Database.RecordOfAsync(id));
    }

    // Logins of known users lead to a reading at most once in Hints:RecheckAfter, which is a day.
    private async Task<ContractFixture> StartAsync(KeycloakKind kind)
    {
        var fixture = await fixtures.GetWithoutBridgeAsync(kind);
        if (!fixture.HasBridge)
            await fixture.StartBridgeAsync(("Hints:RecheckAfter", "00:00:00"));
        return fixture;
    }
}
