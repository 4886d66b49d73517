using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox;

namespace KeycloakCreditBridge.Tests.Contract.Ways;

public sealed class BrokerTests(SharedScenes scenes) : IClassFixture<SharedScenes>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task Who_gives_up_at_the_last_step_of_a_first_login_is_found_by_reconciliation(KeycloakKind kind)
    {
        var scene = await StartAsync(kind);
        var partner = await Partner.CreateAsync(scene, "hesitant");
        await partner.GiveUpAsync();
        await scene.CreateKnownAsync("later");
        var id = await scene.IdOfAsync("hesitant");
        Assert.False(await scene.Database.HasAccountAsync(id));
        await scene.ReconcileAsync();
        await scene.Database.AssertOpenedAsync(id, HintSources.Reconciliation);
    }

    [Theory, EveryKeycloak]
    public async Task Whose_address_a_provider_changes_at_a_login_is_looked_at_again(KeycloakKind kind)
    {
        var scene = await StartAsync(kind);
        var partner = await Partner.CreateAsync(scene, "forced", "FORCE");
        await partner.LoginAsync();
        var id = await scene.IdOfAsync("forced");
        await scene.Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll);
        await scene.CreateKnownAsync("between");
        var (before, checkedAt) = (await scene.Database.PageOfAsync(id), await scene.CheckedAtAsync(id));

        await partner.ChangeAddressAsync("elsewhere@example.com");
        await partner.LoginAsync();
        await scene.LookedAtAgainAsync(id, checkedAt);
        Assert.Equal("elsewhere@example.com", (string?)(await scene.Admin.FindUserAsync(scene.Realm, "forced", Token))!["email"]);
        Assert.Equal(before, await scene.Database.PageOfAsync(id));
    }

    // Logins of known users lead to a look at most once in Hints:SeenAgainAfter, which is a day.
    private async Task<ContractScene> StartAsync(KeycloakKind kind)
    {
        var scene = await scenes.GetQuietAsync(kind);
        if (!scene.HasBridge)
            await scene.StartBridgeAsync(("Hints:SeenAgainAfter", "00:00:00"));
        return scene;
    }
}
