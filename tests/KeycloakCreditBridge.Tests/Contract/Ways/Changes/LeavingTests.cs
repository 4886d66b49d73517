using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Changes;

public sealed class LeavingTests(ContractFixtures scenes) : IClassFixture<ContractFixtures>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_deleted_by_an_administrator_keeps_the_ledger_of_a_closed_account(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await CloseAsync(scene, "leaver", id => scene.Admin.DeleteUserAsync(scene.Realm, id, Token));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_deletes_itself_keeps_the_ledger_of_a_closed_account(KeycloakKind kind)
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
            await scene.Browser.DeleteAccountAsync(scene.Realm, ContractFixture.Named("quitter"), Token);
        });
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_is_deleted_and_registers_again_with_the_same_address_is_a_new_user(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var first = await scene.CreateKnownAsync("phoenix");
        await scene.Admin.DeleteUserAsync(scene.Realm, first, Token);
        var second = await scene.RegisterAsync("phoenix");
        Assert.NotEqual(first, second);
        await scene.Database.AssertOpenedAsync(second, HintSources.Webhook, HintSources.Poll);
        Assert.Equal(5m, (await scene.Database.WaitForStatusAsync(first, "closed")).Balance);
    }

    [Fact]
    public async Task A_user_deleted_without_an_event_is_closed_by_a_complete_run_or_by_a_review_of_that_user()
    {
        var scene = await scenes.GetWithoutBridgeAsync(KeycloakKind.Emulator, EventDelivery.Webhooks);
        await scene.StartBridgeAsync(("Hints:MissingGrace", "00:00:00"), ("Reconciliation:ClosingShare", "1"));
        var (asked, read) = (await scene.CreateKnownAsync("ghost"), await scene.CreateKnownAsync("shade"));
        scene.Emulated!.RemoveUser(asked);
        scene.Emulated.RemoveUser(read);
        await scene.Emulated.RaiseAsync("UPDATE_PROFILE", asked);
        await scene.Database.WaitForStatusAsync(asked, "closed");
        Assert.Equal("active", (await scene.Database.RecordOfAsync(read)).Status);
        await scene.ReconcileAsync();
        await scene.Database.WaitForStatusAsync(read, "closed");
    }

    private static async Task CloseAsync(ContractFixture scene, string name, Func<string, Task> leave)
    {
        var id = await scene.CreateKnownAsync(name);
        var before = await scene.Database.RecordOfAsync(id);
        await leave(id);
        Assert.Equal(
            before with { Status = "closed", Audit = "credit.create success, credit.close success", UserState = "deleted" },
            await scene.Database.WaitForStatusAsync(id, "closed"));
    }
}
