using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Changes;

public sealed class ChangeTests(ContractFixtures fixtures) : IClassFixture<ContractFixtures>
{
    private const string Opened = "credit.create success";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_disabled_user_has_a_held_account_until_it_is_enabled_again(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        var (id, before) = await OpenAsync(fixture, "suspect");
        await fixture.UpdateUserAsync(id, new JsonObject { ["enabled"] = false });
        Assert.Equal(
            before with { Status = "held", Audit = $"{Opened}, credit.hold success", UserState = "held" },
            await fixture.Database.WaitForStatusAsync(id, "held"));
        await fixture.UpdateUserAsync(id, new JsonObject { ["enabled"] = true });
        Assert.Equal(
            before with { Audit = $"{Opened}, credit.hold success, credit.reopen success" },
            await fixture.Database.WaitForStatusAsync(id, "active"));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_is_locked_out_permanently_is_held(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind, EventDelivery.Polling);
        await fixture.Features.UpdateRealmAsync(
            new JsonObject { ["bruteForceProtected"] = true, ["permanentLockout"] = true, ["failureFactor"] = 2,
                ["quickLoginCheckMilliSeconds"] = 0 }, Token);
        var (id, before) = await OpenAsync(fixture, "forgetful");
        await fixture.LockOutAsync(id, "forgetful");
        Assert.Equal(
            before with { Status = "held", Audit = $"{Opened}, credit.hold success", UserState = "held" },
            await fixture.Database.WaitForStatusAsync(id, "held"));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_whose_address_an_administrator_changes_is_reevaluated_and_granted_nothing(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        await ChangeAsync(fixture, "changing", id => fixture.UpdateUserAsync(id, new JsonObject { ["email"] = "changed@example.com" }));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_whose_name_an_administrator_changes_is_reevaluated_and_granted_nothing(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        await fixture.Features.UpdateRealmAsync(new JsonObject { ["editUsernameAllowed"] = true }, Token);
        await ChangeAsync(fixture, "bride", id => fixture.UpdateUserAsync(id, new JsonObject { ["username"] = "wife" }));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_that_changes_its_address_is_reevaluated_and_granted_nothing(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        await ChangeAsync(fixture, "emigrant", async id =>
        {
            if (fixture.Emulated is { } realm)
                await realm.UpdateProfileAsync(id, "emigrated@example.com");
            else
                await fixture.Browser.PerformActionAsync(
                    fixture.Realm, ContractFixture.Named("emigrant"), "UPDATE_PROFILE", new() { ["email"] = "emigrated@example.com" },
                        Token);
        });
    }

    [Fact]
    public async Task A_user_whose_address_changes_without_an_event_is_reevaluated_at_a_login_a_day_later()
    {
        var fixture = await fixtures.GetWithoutBridgeAsync(KeycloakKind.Emulator, EventDelivery.Webhooks);
        await fixture.StartBridgeAsync(("Hints:RecheckAfter", "00:00:00"));
        var id = await fixture.CreateKnownAsync("quiet");
        var (before, checkedAt) = (await fixture.Database.RecordOfAsync(id), await fixture.CheckedAtAsync(id));
        fixture.Emulated!.ChangeUser(id, user => user with { Email = "quietly@example.com" });
        await fixture.ReconcileAsync();
        Assert.Equal(checkedAt, await fixture.CheckedAtAsync(id));
        await fixture.Emulated.LoginAsync(id);
        await fixture.WaitForReevaluationAsync(id, checkedAt);
        Assert.Equal(before, await fixture.Database.RecordOfAsync(id));
    }

    private static async Task ChangeAsync(ContractFixture fixture, string name, Func<string, Task> change)
    {
        var (id, before) = await OpenAsync(fixture, name);
        var checkedAt = await fixture.CheckedAtAsync(id);
        await change(id);
        await fixture.WaitForReevaluationAsync(id, checkedAt);
        Assert.Equal(before, await fixture.Database.RecordOfAsync(id));
    }

    private static async Task<(string Id, AccountRecord Page)> OpenAsync(ContractFixture fixture, string name)
    {
        var id = await fixture.CreateKnownAsync(name);
        return (id, await fixture.Database.RecordOfAsync(id));
    }
}
