using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox;

namespace KeycloakCreditBridge.Tests.Contract.Ways;

public sealed class ChangeTests(SharedScenes scenes) : IClassFixture<SharedScenes>
{
    private const string Opened = "credit.create success";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task Who_is_disabled_has_a_held_account_until_enabled_again(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var (id, before) = await OpenAsync(scene, "suspect");
        await scene.UpdateUserAsync(id, new JsonObject { ["enabled"] = false });
        Assert.Equal(
            before with { Status = "held", Audit = $"{Opened}, credit.hold success", Disposition = "held" },
            await scene.Database.TurnedAsync(id, "held"));
        await scene.UpdateUserAsync(id, new JsonObject { ["enabled"] = true });
        Assert.Equal(
            before with { Audit = $"{Opened}, credit.hold success, credit.reopen success" },
            await scene.Database.TurnedAsync(id, "active"));
    }

    [Theory, EveryKeycloak]
    public async Task Whose_address_an_administrator_changes_is_looked_at_again_and_given_nothing(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await ChangeAsync(scene, "mover", id => scene.UpdateUserAsync(id, new JsonObject { ["email"] = "moved@example.com" }));
    }

    [Theory, EveryKeycloak]
    public async Task Whose_user_name_an_administrator_changes_is_looked_at_again_and_given_nothing(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await scene.Features.SetAsync(new JsonObject { ["editUsernameAllowed"] = true }, Token);
        await ChangeAsync(scene, "bride", id => scene.UpdateUserAsync(id, new JsonObject { ["username"] = "wife" }));
    }

    [Theory, EveryKeycloak]
    public async Task Who_changes_the_own_address_is_looked_at_again_and_given_nothing(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await ChangeAsync(scene, "emigrant", async id =>
        {
            if (scene.Emulated is { } realm)
                await realm.UpdateProfileAsync(id, "emigrated@example.com");
            else
                await scene.Browser.ActAsync(
                    scene.Realm, ContractScene.Named("emigrant"), "UPDATE_PROFILE", new() { ["email"] = "emigrated@example.com" }, Token);
        });
    }

    [Fact]
    public async Task Whose_address_changes_without_a_word_is_looked_at_again_at_a_login_a_day_later()
    {
        var scene = await scenes.GetQuietAsync(KeycloakKind.Emulator, Hearing.Webhooks);
        await scene.StartBridgeAsync(("Hints:SeenAgainAfter", "00:00:00"));
        var id = await scene.CreateKnownAsync("quiet");
        var (before, checkedAt) = (await scene.Database.PageOfAsync(id), await scene.CheckedAtAsync(id));
        scene.Emulated!.ChangeUser(id, user => user with { Email = "quietly@example.com" });
        await scene.ReconcileAsync();
        Assert.Equal(checkedAt, await scene.CheckedAtAsync(id));
        await scene.Emulated.LoginAsync(id);
        await scene.LookedAtAgainAsync(id, checkedAt);
        Assert.Equal(before, await scene.Database.PageOfAsync(id));
    }

    private static async Task ChangeAsync(ContractScene scene, string name, Func<string, Task> change)
    {
        var (id, before) = await OpenAsync(scene, name);
        var checkedAt = await scene.CheckedAtAsync(id);
        await change(id);
        await scene.LookedAtAgainAsync(id, checkedAt);
        Assert.Equal(before, await scene.Database.PageOfAsync(id));
    }

    private static async Task<(string Id, BookPage Page)> OpenAsync(ContractScene scene, string name)
    {
        var id = await scene.CreateKnownAsync(name);
        return (id, await scene.Database.PageOfAsync(id));
    }
}
