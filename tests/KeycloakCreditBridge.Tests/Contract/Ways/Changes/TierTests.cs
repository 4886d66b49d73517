using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Changes;

/// <summary>Tiers that follow Keycloak, by a client that has the roles view-users and view-events alone.</summary>
public sealed class TierTests(ContractFixtures fixtures) : IClassFixture<ContractFixtures>
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
        var fixture = await SceneAsync(kind, EventDelivery.WebhooksAndPolling, ("Hints:RecheckAfter", "00:00:00"));
        var (ana, bob) = (await fixture.CreateUserAsync("silent-ana"), await fixture.CreateUserAsync("silent-bob"));
        var group = await fixture.Assignments.AddGroupAsync($"silent-{Guid.NewGuid():n}", Token);
        await fixture.Assignments.JoinGroupAsync(ana, group, Token);
        await fixture.Assignments.JoinGroupAsync(bob, group, Token);
        // A user created later is known, so no event of the two is left.
        await fixture.CreateKnownAsync("silent-eve");
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select not exists (select from user_hints where realm = @Realm)",
                new { fixture.Realm }),
                "no hint waits");
        await fixture.Assignments.AssignRoleToGroupAsync(group, "paying", Token);

        await fixture.ReconcileAsync();
        Assert.Equal(("trial", "trial"), (await TierAsync(fixture, ana), await TierAsync(fixture, bob)));
        if (fixture.Emulated is { } realm)
            await realm.LoginAsync(ana);
        else
            await fixture.Browser.LoginAsync(fixture.Realm, "silent-ana", ContractFixture.Named("silent-ana").Password, Token);
        await HasTierAsync(fixture, ana, "starter");
        Assert.Equal("trial", await TierAsync(fixture, bob));
        await BackfillAsync(fixture);
        await HasTierAsync(fixture, bob, "starter");
    }

    [Theory, EveryKeycloak]
    public async Task An_administrator_s_switch_stands_until_the_tier_in_Keycloak_changes(KeycloakKind kind)
    {
        var fixture = await SceneAsync(kind, EventDelivery.Polling);
        var id = await fixture.Admin.CreateUserAsync(fixture.Realm, ContractFixture.Named("stands"), Token, Plan("starter"));
        await HasTierAsync(fixture, id, "starter");
        var services = fixture.Bridge.Services;
        var tiers = services.GetRequiredService<Hot<GrantPolicy>>().Current.Tiers;
        await services.GetRequiredService<TierStore>().SwitchAsync(
            new TierSwitchRequest(
                new AccountSelector(fixture.Realm, id, IsOwn: false, []), tiers.Find("enterprise")!, "admin", null, "admin", null, []),
            tiers.ProRating, DateTimeOffset.UtcNow, Token);
        var checkedAt = await fixture.CheckedAtAsync(id);
        await fixture.UpdateUserAsync(id, new JsonObject { ["firstName"] = "Other" });
        await fixture.WaitForReevaluationAsync(id, checkedAt);
        await BackfillAsync(fixture);
        Assert.Equal("enterprise", await TierAsync(fixture, id));

        await SetPlanAsync(fixture, "stands", "professional");
        await HasTierAsync(fixture, id, "professional");
        Assert.Equal(["starter enterprise admin", "enterprise professional keycloak"], await SwitchesAsync(fixture, id));
    }

    [Theory, EveryKeycloak]
    public async Task An_attribute_value_that_is_no_tier_is_ignored_and_logged_once(KeycloakKind kind)
    {
        var fixture = await SceneAsync(kind, EventDelivery.Polling);
        var ids = await Task.WhenAll(((string[])["odd-ana", "odd-bob"]).Select(
            name => fixture.Admin.CreateUserAsync(fixture.Realm, ContractFixture.Named(name), Token, Plan("platinum"))));
        foreach (var id in ids)
            await HasTierAsync(fixture, id, "trial");
        await fixture.Assignments.AssignRoleAsync(ids[0], "paying", Token);
        await HasTierAsync(fixture, ids[0], "starter");
        Assert.Single(fixture.Bridge.Log.All, line => line.Contains("'platinum'", StringComparison.Ordinal));
    }

    // Up, down and back, by each of the three.
    private static async Task FollowAsync(ContractFixture fixture, string name)
    {
        var (gold, plus) = await GroupsAsync(fixture);
        var id = await fixture.Admin.CreateUserAsync(fixture.Realm, ContractFixture.Named(name), Token, Plan("starter"));
        await HasTierAsync(fixture, id, "starter");
        Assert.Equal(20m, (await fixture.Database.RecordOfAsync(id)).Balance);
        await SetPlanAsync(fixture, name, "enterprise");
        await HasTierAsync(fixture, id, "enterprise");
        await SetPlanAsync(fixture, name, null);
        await HasTierAsync(fixture, id, "trial");

        await fixture.Assignments.JoinGroupAsync(id, plus, Token);
        await HasTierAsync(fixture, id, "professional");
        await fixture.Assignments.JoinGroupAsync(id, gold, Token);
        await fixture.Assignments.LeaveGroupAsync(id, plus, Token);
        await fixture.Assignments.AssignRoleAsync(id, "vip", Token);
        await fixture.Assignments.LeaveGroupAsync(id, gold, Token);
        await HasTierAsync(fixture, id, "enterprise");
        await fixture.Assignments.UnassignRoleAsync(id, "vip", Token);
        await HasTierAsync(fixture, id, "trial");
        // With this role comes the other one.
        await fixture.Assignments.AssignRoleAsync(id, "company", Token);
        await HasTierAsync(fixture, id, "starter");

        Assert.Equal(20m, (await fixture.Database.RecordOfAsync(id)).Balance);
        Assert.Equal(
            [
                "starter enterprise keycloak", "enterprise trial keycloak", "trial professional keycloak",
                    "professional enterprise keycloak",
                "enterprise trial keycloak", "trial starter keycloak",
            ],
            await SwitchesAsync(fixture, id));
    }

    private async Task<ContractFixture> SceneAsync(KeycloakKind kind, EventDelivery hearing, params (string Key, string? Value)[] more)
    {
        var fixture = await fixtures.GetWithoutBridgeAsync(kind, hearing);
        if (fixture.HasBridge)
            return fixture;
        await fixture.Assignments.DeclareAttributeAsync("plan", Token, "admin");
        await fixture.Assignments.AddRoleAsync("vip", Token);
        await fixture.Assignments.AddRoleAsync("paying", Token);
        await fixture.Assignments.AddRoleAsync("company", Token, "paying");
        await fixture.StartBridgeAsync([.. From, .. more]);
        return fixture;
    }

    private static async Task<(string Gold, string Plus)> GroupsAsync(ContractFixture fixture)
    {
        var gold = await fixture.Assignments.AddGroupAsync("gold", Token, await fixture.Assignments.AddGroupAsync("customers", Token));
        return (gold, await fixture.Assignments.AddGroupAsync("plus", Token, gold));
    }

    private static JsonObject Plan(string plan) => new() { ["attributes"] = new JsonObject { ["plan"] = new JsonArray(plan) } };

    // With attributes Keycloak wants the rest of the profile too.
    private static async Task SetPlanAsync(ContractFixture fixture, string name, string? plan)
    {
        var user = (await fixture.Admin.FindUserAsync(fixture.Realm, name, Token))!;
        user["attributes"] = plan is null ? new JsonObject() : new JsonObject { ["plan"] = new JsonArray(plan) };
        await fixture.UpdateUserAsync((string)user["id"]!, user);
    }

    private static async Task BackfillAsync(ContractFixture fixture)
    {
        var request = new RunRequest(fixture.Realm, RunTriggers.Command) { ReEvaluate = true };
        await Eventually.TrueAsync(
            async () => (
                await fixture.Bridge.Services.GetRequiredService<Reconciler>().RunAsync(
                    request, new Progress<ReconcileProgress>(), Token)).Status == ReconcileStatus.Done,
            "every user is evaluated again");
    }

    private static Task<string?> TierAsync(ContractFixture fixture, string id) =>
        fixture.Database.ScalarAsync<string>("select tier from user_credits where user_id = @id", new { id });

    private static Task HasTierAsync(ContractFixture fixture, string id, string tier) =>
        Eventually.TrueAsync(async () => await TierAsync(fixture, id) == tier, $"the account has the tier {tier}");

    private static Task<IReadOnlyList<string>> SwitchesAsync(ContractFixture fixture, string id) => fixture.Database.QueryAsync<string>(
        "select concat_ws(' ', metadata ->> 'from', metadata ->> 'to', metadata ->> 'by') from audit_logs where action = 'tier.switch' "
            + "and user_id = @id order by id",
        new { id });
}
