using System.Text.Json.Nodes;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Changes;

/// <summary>Tiers that follow Keycloak, by a client that has the roles view-users and view-events alone.</summary>
public sealed class TierTests(ContractFixtures scenes) : IClassFixture<ContractFixtures>
{
    private static readonly (string, string?)[] From =
    [
        ("Provisioning:TierFrom:Attribute", "plan"),
        ("Provisioning:TierFrom:Groups:0:Path", "/customers/gold"),
        ("Provisioning:TierFrom:Groups:0:Tier", "professional"),
        ("Provisioning:TierFrom:RealmRoles:0:Name", "vip"),
        ("Provisioning:TierFrom:RealmRoles:0:Tier", "enterprise"),
        ("Provisioning:TierFrom:RealmRoles:1:Name", "paying"),
        ("Provisioning:TierFrom:RealmRoles:1:Tier", "starter"),
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task Polling_alone_finds_changed_attributes_groups_and_roles_that_a_tier_follows(KeycloakKind kind) =>
        await FollowAsync(await SceneAsync(kind, EventDelivery.Polling), "polled");

    [Theory, EveryKeycloak(SendsWebhooks = true)]
    public async Task Webhooks_alone_find_changed_attributes_groups_and_roles_that_a_tier_follows(KeycloakKind kind) =>
        await FollowAsync(await SceneAsync(kind, EventDelivery.Webhooks), "announced");

    [Theory, EveryKeycloak]
    public async Task A_role_given_to_a_group_is_found_at_a_later_login_and_by_backfill(KeycloakKind kind)
    {
        var scene = await SceneAsync(kind, EventDelivery.WebhooksAndPolling, ("Hints:RecheckAfter", "00:00:00"));
        var (ana, bob) = (await scene.CreateUserAsync("silent-ana"), await scene.CreateUserAsync("silent-bob"));
        var group = await scene.Assignments.AddGroupAsync($"silent-{Guid.NewGuid():n}", Token);
        await scene.Assignments.JoinGroupAsync(ana, group, Token);
        await scene.Assignments.JoinGroupAsync(bob, group, Token);
        // A user created later is known, so no event of the two is left.
        await scene.CreateKnownAsync("silent-eve");
        await Eventually.TrueAsync(
            () => scene.Database.ScalarAsync<bool>("select not exists (select from user_hints where realm = @Realm)", new { scene.Realm }),
                "no hint waits");
        await scene.Assignments.AssignRoleToGroupAsync(group, "paying", Token);

        await scene.ReconcileAsync();
        Assert.Equal(("trial", "trial"), (await TierAsync(scene, ana), await TierAsync(scene, bob)));
        if (scene.Emulated is { } realm)
            await realm.LoginAsync(ana);
        else
            await scene.Browser.LoginAsync(scene.Realm, "silent-ana", ContractFixture.Named("silent-ana").Password, Token);
        await HasTierAsync(scene, ana, "starter");
        Assert.Equal("trial", await TierAsync(scene, bob));
        await BackfillAsync(scene);
        await HasTierAsync(scene, bob, "starter");
    }

    [Theory, EveryKeycloak]
    public async Task An_administrator_s_switch_stands_until_the_tier_in_Keycloak_changes(KeycloakKind kind)
    {
        var scene = await SceneAsync(kind, EventDelivery.Polling);
        var id = await scene.Admin.CreateUserAsync(scene.Realm, ContractFixture.Named("stands"), Token, Plan("starter"));
        await HasTierAsync(scene, id, "starter");
        var services = scene.Bridge.Services;
        var tiers = services.GetRequiredService<TierCatalogue>();
        await services.GetRequiredService<TierStore>().SwitchAsync(
            new TierSwitchRequest(
                new AccountSelector(scene.Realm, id, IsOwn: false, []), tiers.Find("enterprise")!, "admin", null, "admin", null, []),
            tiers.ProRating, DateTimeOffset.UtcNow, Token);
        var checkedAt = await scene.CheckedAtAsync(id);
        await scene.UpdateUserAsync(id, new JsonObject { ["firstName"] = "Other" });
        await scene.WaitForReevaluationAsync(id, checkedAt);
        await BackfillAsync(scene);
        Assert.Equal("enterprise", await TierAsync(scene, id));

        await SetPlanAsync(scene, "stands", "professional");
        await HasTierAsync(scene, id, "professional");
        Assert.Equal(["starter enterprise admin", "enterprise professional keycloak"], await SwitchesAsync(scene, id));
    }

    [Theory, EveryKeycloak]
    public async Task An_attribute_value_that_is_no_tier_is_ignored_and_logged_once(KeycloakKind kind)
    {
        var scene = await SceneAsync(kind, EventDelivery.Polling);
        var ids = await Task.WhenAll(((string[])["odd-ana", "odd-bob"]).Select(
            name => scene.Admin.CreateUserAsync(scene.Realm, ContractFixture.Named(name), Token, Plan("platinum"))));
        foreach (var id in ids)
            await HasTierAsync(scene, id, "trial");
        await scene.Assignments.AssignRoleAsync(ids[0], "paying", Token);
        await HasTierAsync(scene, ids[0], "starter");
        Assert.Single(scene.Bridge.Log.All, line => line.Contains("'platinum'", StringComparison.Ordinal));
    }

    // Up, down and back, by each of the three.
    private static async Task FollowAsync(ContractFixture scene, string name)
    {
        var (gold, plus) = await GroupsAsync(scene);
        var id = await scene.Admin.CreateUserAsync(scene.Realm, ContractFixture.Named(name), Token, Plan("starter"));
        await HasTierAsync(scene, id, "starter");
        Assert.Equal(20m, (await scene.Database.RecordOfAsync(id)).Balance);
        await SetPlanAsync(scene, name, "enterprise");
        await HasTierAsync(scene, id, "enterprise");
        await SetPlanAsync(scene, name, null);
        await HasTierAsync(scene, id, "trial");

        await scene.Assignments.JoinGroupAsync(id, plus, Token);
        await HasTierAsync(scene, id, "professional");
        await scene.Assignments.JoinGroupAsync(id, gold, Token);
        await scene.Assignments.LeaveGroupAsync(id, plus, Token);
        await scene.Assignments.AssignRoleAsync(id, "vip", Token);
        await scene.Assignments.LeaveGroupAsync(id, gold, Token);
        await HasTierAsync(scene, id, "enterprise");
        await scene.Assignments.UnassignRoleAsync(id, "vip", Token);
        await HasTierAsync(scene, id, "trial");
        // With this role comes the other one.
        await scene.Assignments.AssignRoleAsync(id, "company", Token);
        await HasTierAsync(scene, id, "starter");

        Assert.Equal(20m, (await scene.Database.RecordOfAsync(id)).Balance);
        Assert.Equal(
            [
                "starter enterprise keycloak", "enterprise trial keycloak", "trial professional keycloak",
                    "professional enterprise keycloak",
                "enterprise trial keycloak", "trial starter keycloak",
            ],
            await SwitchesAsync(scene, id));
    }

    private async Task<ContractFixture> SceneAsync(KeycloakKind kind, EventDelivery hearing, params (string Key, string? Value)[] more)
    {
        var scene = await scenes.GetWithoutBridgeAsync(kind, hearing);
        if (scene.HasBridge)
            return scene;
        await scene.Assignments.DeclareAttributeAsync("plan", Token, "admin");
        await scene.Assignments.AddRoleAsync("vip", Token);
        await scene.Assignments.AddRoleAsync("paying", Token);
        await scene.Assignments.AddRoleAsync("company", Token, "paying");
        await scene.StartBridgeAsync([.. From, .. more]);
        return scene;
    }

    private static async Task<(string Gold, string Plus)> GroupsAsync(ContractFixture scene)
    {
        var gold = await scene.Assignments.AddGroupAsync("gold", Token, await scene.Assignments.AddGroupAsync("customers", Token));
        return (gold, await scene.Assignments.AddGroupAsync("plus", Token, gold));
    }

    private static JsonObject Plan(string plan) => new() { ["attributes"] = new JsonObject { ["plan"] = new JsonArray(plan) } };

    // With attributes Keycloak wants the rest of the profile too.
    private static async Task SetPlanAsync(ContractFixture scene, string name, string? plan)
    {
        var user = (await scene.Admin.FindUserAsync(scene.Realm, name, Token))!;
        user["attributes"] = plan is null ? new JsonObject() : new JsonObject { ["plan"] = new JsonArray(plan) };
        await scene.UpdateUserAsync((string)user["id"]!, user);
    }

    private static async Task BackfillAsync(ContractFixture scene)
    {
        var request = new RunRequest(scene.Realm, RunTriggers.Command) { ReEvaluate = true };
        await Eventually.TrueAsync(
            async () => (
                await scene.Bridge.Services.GetRequiredService<Reconciler>().RunAsync(
                    request, new Progress<ReconcileProgress>(), Token)).Status == ReconcileStatus.Done,
            "every user is evaluated again");
    }

    private static Task<string?> TierAsync(ContractFixture scene, string id) =>
        scene.Database.ScalarAsync<string>("select tier from user_credits where user_id = @id", new { id });

    private static Task HasTierAsync(ContractFixture scene, string id, string tier) =>
        Eventually.TrueAsync(async () => await TierAsync(scene, id) == tier, $"the account has the tier {tier}");

    private static Task<IReadOnlyList<string>> SwitchesAsync(ContractFixture scene, string id) => scene.Database.QueryAsync<string>(
        "select concat_ws(' ', metadata ->> 'from', metadata ->> 'to', metadata ->> 'by') from audit_logs where action = 'tier.switch' "
            + "and user_id = @id order by id",
        new { id });
}
