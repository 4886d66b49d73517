using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;

public sealed class BrokerTests(ContractFixtures scenes) : IClassFixture<ContractFixtures>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_that_abandons_the_last_step_of_a_first_login_is_found_by_reconciliation(KeycloakKind kind)
    {
        var scene = await StartAsync(kind);
        var partner = await BrokerRealm.CreateAsync(scene, "hesitant");
        await partner.AbandonLoginAsync();
        await scene.CreateKnownAsync("later");
        var id = await scene.IdOfAsync("hesitant");
        Assert.False(await scene.Database.HasAccountAsync(id));
        await scene.ReconcileAsync();
        await scene.Database.AssertOpenedAsync(id, HintSources.Reconciliation);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_whose_address_a_provider_changes_at_a_login_is_reevaluated(KeycloakKind kind)
    {
        var scene = await StartAsync(kind);
        var partner = await BrokerRealm.CreateAsync(scene, "forced", "FORCE");
        await partner.LoginAsync();
        var id = await scene.IdOfAsync("forced");
        await scene.Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll);
        await scene.CreateKnownAsync("between");
        var (before, checkedAt) = (await scene.Database.RecordOfAsync(id), await scene.CheckedAtAsync(id));

        await partner.ChangeAddressAsync("elsewhere@example.com");
        await partner.LoginAsync();
        await scene.WaitForReevaluationAsync(id, checkedAt);
        Assert.Equal("elsewhere@example.com", (string?)(await scene.Admin.FindUserAsync(scene.Realm, "forced", Token))!["email"]);
        Assert.Equal(before, await scene.Database.RecordOfAsync(id));
    }

    // Logins of known users lead to a reading at most once in Hints:RecheckAfter, which is a day.
    private async Task<ContractFixture> StartAsync(KeycloakKind kind)
    {
        var scene = await scenes.GetWithoutBridgeAsync(kind);
        if (!scene.HasBridge)
            await scene.StartBridgeAsync(("Hints:RecheckAfter", "00:00:00"));
        return scene;
    }
}
