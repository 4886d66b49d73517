using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Changes;

public sealed class ChangeTests(ContractFixtures scenes) : IClassFixture<ContractFixtures>
{
    private const string Opened = "credit.create success";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_disabled_user_has_a_held_account_until_it_is_enabled_again(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var (id, before) = await OpenAsync(scene, "suspect");
        await scene.UpdateUserAsync(id, new JsonObject { ["enabled"] = false });
        Assert.Equal(
            before with { Status = "held", Audit = $"{Opened}, credit.hold success", UserState = "held" },
            await scene.Database.WaitForStatusAsync(id, "held"));
        await scene.UpdateUserAsync(id, new JsonObject { ["enabled"] = true });
        Assert.Equal(
            before with { Audit = $"{Opened}, credit.hold success, credit.reopen success" },
            await scene.Database.WaitForStatusAsync(id, "active"));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_is_locked_out_permanently_is_held(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind, EventDelivery.Polling);
        await scene.Features.UpdateRealmAsync(
            new JsonObject { ["bruteForceProtected"] = true, ["permanentLockout"] = true, ["failureFactor"] = 2,
                ["quickLoginCheckMilliSeconds"] = 0 }, Token);
        var (id, before) = await OpenAsync(scene, "forgetful");
        await scene.LockOutAsync(id, "forgetful");
        Assert.Equal(
            before with { Status = "held", Audit = $"{Opened}, credit.hold success", UserState = "held" },
            await scene.Database.WaitForStatusAsync(id, "held"));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_whose_address_an_administrator_changes_is_reevaluated_and_granted_nothing(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await ChangeAsync(scene, "changing", id => scene.UpdateUserAsync(id, new JsonObject { ["email"] = "changed@example.com" }));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_whose_name_an_administrator_changes_is_reevaluated_and_granted_nothing(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await scene.Features.UpdateRealmAsync(new JsonObject { ["editUsernameAllowed"] = true }, Token);
        await ChangeAsync(scene, "bride", id => scene.UpdateUserAsync(id, new JsonObject { ["username"] = "wife" }));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_changes_its_address_is_reevaluated_and_granted_nothing(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await ChangeAsync(scene, "emigrant", async id =>
        {
            if (scene.Emulated is { } realm)
                await realm.UpdateProfileAsync(id, "emigrated@example.com");
            else
                await scene.Browser.PerformActionAsync(
                    scene.Realm, ContractFixture.Named("emigrant"), "UPDATE_PROFILE", new() { ["email"] = "emigrated@example.com" }, Token);
        });
    }

    [Fact]
    public async Task A_user_whose_address_changes_without_an_event_is_reevaluated_at_a_login_a_day_later()
    {
        var scene = await scenes.GetWithoutBridgeAsync(KeycloakKind.Emulator, EventDelivery.Webhooks);
        await scene.StartBridgeAsync(("Hints:RecheckAfter", "00:00:00"));
        var id = await scene.CreateKnownAsync("quiet");
        var (before, checkedAt) = (await scene.Database.RecordOfAsync(id), await scene.CheckedAtAsync(id));
        scene.Emulated!.ChangeUser(id, user => user with { Email = "quietly@example.com" });
        await scene.ReconcileAsync();
        Assert.Equal(checkedAt, await scene.CheckedAtAsync(id));
        await scene.Emulated.LoginAsync(id);
        await scene.WaitForReevaluationAsync(id, checkedAt);
        Assert.Equal(before, await scene.Database.RecordOfAsync(id));
    }

    private static async Task ChangeAsync(ContractFixture scene, string name, Func<string, Task> change)
    {
        var (id, before) = await OpenAsync(scene, name);
        var checkedAt = await scene.CheckedAtAsync(id);
        await change(id);
        await scene.WaitForReevaluationAsync(id, checkedAt);
        Assert.Equal(before, await scene.Database.RecordOfAsync(id));
    }

    private static async Task<(string Id, AccountRecord Page)> OpenAsync(ContractFixture scene, string name)
    {
        var id = await scene.CreateKnownAsync(name);
        return (id, await scene.Database.RecordOfAsync(id));
    }
}
