using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

public sealed class ChangeTests(SharedScenes scenes) : IClassFixture<SharedScenes>
{
    private const string Opened = "credit.create success";

    private const string PolledSql =
        """
        select not exists (select from user_hints where keycloak_id = @Id) and exists (
            select from poll_cursors p join keycloak_users k using (realm)
            where k.keycloak_id = @Id and p.stream = 'admin-events' and p.watermark >= k.created_at)
        """;

    [Theory, EveryKeycloak]
    public async Task Who_is_deleted_keeps_the_ledger_of_a_closed_account(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var (id, before) = await OpenAsync(scene, "leaver");
        await scene.Admin.DeleteUserAsync(scene.Realm, id, TestContext.Current.CancellationToken);
        Assert.Equal(
            before with { Status = "closed", Audit = $"{Opened}, credit.close success", Disposition = "deleted" },
            await scene.Database.TurnedAsync(id, "closed"));
    }

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
        var (id, before) = await OpenAsync(scene, "mover");
        var checkedAt = await CheckedAtAsync(scene.Database, id);
        await scene.UpdateUserAsync(id, new JsonObject { ["email"] = "moved@example.com" });
        await Eventually.TrueAsync(async () => await CheckedAtAsync(scene.Database, id) > checkedAt, "the user is looked at again");
        Assert.Equal(before, await scene.Database.PageOfAsync(id));
    }

    private static async Task<(string Id, BookPage Page)> OpenAsync(ContractScene scene, string name)
    {
        var id = await scene.CreateUserAsync(name);
        await scene.Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll);
        // Both ways tell of the creation: what is looked at later must not be owed to the slower one.
        await Eventually.TrueAsync(() => scene.Database.ScalarAsync<bool>(PolledSql, new { Id = id }), "the creation was polled");
        return (id, await scene.Database.PageOfAsync(id));
    }

    private static Task<DateTime> CheckedAtAsync(TestDatabase database, string id) =>
        database.ScalarAsync<DateTime>("select checked_at from keycloak_users where keycloak_id = @Id", new { Id = id });
}
