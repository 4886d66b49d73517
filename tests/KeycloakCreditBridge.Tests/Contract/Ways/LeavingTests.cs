using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox;

namespace KeycloakCreditBridge.Tests.Contract.Ways;

public sealed class LeavingTests(SharedScenes scenes) : IClassFixture<SharedScenes>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task Whom_an_administrator_deletes_keeps_the_ledger_of_a_closed_account(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await CloseAsync(scene, "leaver", id => scene.Admin.DeleteUserAsync(scene.Realm, id, Token));
    }

    [Theory, EveryKeycloak]
    public async Task Who_deletes_the_own_account_keeps_the_ledger_of_a_closed_one(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await CloseAsync(scene, "quitter", async id =>
        {
            if (scene.Emulated is { } realm)
            {
                await realm.DeleteAccountAsync(id);
                return;
            }

            await scene.Features.AllowAccountDeletionAsync(id, Token);
            await scene.Browser.DeleteAccountAsync(scene.Realm, ContractScene.Named("quitter"), Token);
        });
    }

    [Theory, EveryKeycloak]
    public async Task Who_is_deleted_and_registers_again_with_the_same_address_is_somebody_new(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var first = await scene.CreateKnownAsync("phoenix");
        await scene.Admin.DeleteUserAsync(scene.Realm, first, Token);
        var second = await scene.RegisterAsync("phoenix");
        Assert.NotEqual(first, second);
        await scene.Database.AssertOpenedAsync(second, HintSources.Webhook, HintSources.Poll);
        Assert.Equal(5m, (await scene.Database.TurnedAsync(first, "closed")).Balance);
    }

    [Fact]
    public async Task Who_goes_without_a_word_is_closed_by_a_complete_reading_or_when_somebody_asks_for_that_user()
    {
        var scene = await scenes.GetQuietAsync(KeycloakKind.Emulator, Hearing.Webhooks);
        await scene.StartBridgeAsync(("Hints:MissingGrace", "00:00:00"), ("Reconciliation:ClosingShare", "1"));
        var (asked, read) = (await scene.CreateKnownAsync("ghost"), await scene.CreateKnownAsync("shade"));
        scene.Emulated!.RemoveUser(asked);
        scene.Emulated.RemoveUser(read);
        await scene.Emulated.RaiseAsync("UPDATE_PROFILE", asked);
        await scene.Database.TurnedAsync(asked, "closed");
        Assert.Equal("active", (await scene.Database.PageOfAsync(read)).Status);
        await scene.ReconcileAsync();
        await scene.Database.TurnedAsync(read, "closed");
    }

    private static async Task CloseAsync(ContractScene scene, string name, Func<string, Task> leave)
    {
        var id = await scene.CreateKnownAsync(name);
        var before = await scene.Database.PageOfAsync(id);
        await leave(id);
        Assert.Equal(
            before with { Status = "closed", Audit = "credit.create success, credit.close success", Disposition = "deleted" },
            await scene.Database.TurnedAsync(id, "closed"));
    }
}
