using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Changes;

public sealed class LeavingTests(ContractFixtures fixtures) : IClassFixture<ContractFixtures>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_deleted_by_an_administrator_keeps_the_ledger_of_a_closed_account(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        await CloseAsync(fixture, "leaver", id => fixture.Admin.DeleteUserAsync(fixture.Realm, id, Token));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_deletes_itself_keeps_the_ledger_of_a_closed_account(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        await CloseAsync(fixture, "quitter", async id =>
        {
            if (fixture.Emulated is { } realm)
            {
                await realm.DeleteAccountAsync(id);
                return;
            }

            await fixture.Features.AllowAccountDeletionAsync(id, Token);
            await fixture.Browser.DeleteAccountAsync(fixture.Realm, ContractFixture.Named("quitter"), Token);
        });
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_is_deleted_and_registers_again_with_the_same_address_is_a_new_user(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        var first = await fixture.CreateKnownAsync("phoenix");
        await fixture.Admin.DeleteUserAsync(fixture.Realm, first, Token);
        var second = await fixture.RegisterAsync("phoenix");
        Assert.NotEqual(first, second);
        await fixture.Database.AssertOpenedAsync(second, HintSources.Webhook, HintSources.Poll);
        Assert.Equal(5m, (await fixture.Database.WaitForStatusAsync(first, "closed")).Balance);
    }

    [Fact]
    public async Task A_user_deleted_without_an_event_is_closed_by_a_complete_run_or_by_a_review_of_that_user()
    {
        var fixture = await fixtures.GetWithoutBridgeAsync(KeycloakKind.Emulator, EventDelivery.Webhooks);
        await fixture.StartBridgeAsync(("Hints:MissingGrace", "00:00:00"), ("Reconciliation:ClosingShare", "1"));
        var (asked, read) = (await fixture.CreateKnownAsync("ghost"), await fixture.CreateKnownAsync("shade"));
        fixture.Emulated!.RemoveUser(asked);
        fixture.Emulated.RemoveUser(read);
        await fixture.Emulated.RaiseAsync("UPDATE_PROFILE", asked);
        await fixture.Database.WaitForStatusAsync(asked, "closed");
        Assert.Equal("active", (await fixture.Database.RecordOfAsync(read)).Status);
        await fixture.ReconcileAsync();
        await fixture.Database.WaitForStatusAsync(read, "closed");
    }

    private static async Task CloseAsync(ContractFixture fixture, string name, Func<string, Task> leave)
    {
        var id = await fixture.CreateKnownAsync(name);
        var before = await fixture.Database.RecordOfAsync(id);
        await leave(id);
        Assert.Equal(
            before with { Status = "closed", Audit = "credit.create success, credit.close success", UserState = "deleted" },
            await fixture.Database.WaitForStatusAsync(id, "closed"));
    }
}
