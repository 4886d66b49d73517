using System.Net;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

public sealed class RoleTests(KeycloakServers servers, PostgresServer postgres)
{
    [Theory, EveryKeycloak]
    public Task Without_view_events_the_bridge_is_not_ready_and_names_the_role_until_it_has_it(KeycloakKind kind) =>
        MissAsync(kind, "view-events", "view-users");

    [Theory, EveryKeycloak]
    public Task Without_view_users_the_bridge_is_not_ready_and_names_the_role_until_it_has_it(KeycloakKind kind) =>
        MissAsync(kind, "view-users", "view-events");

    [Theory, EveryKeycloak]
    public Task With_query_users_in_its_place_the_bridge_is_not_ready_and_names_the_role_until_it_has_it(KeycloakKind kind) =>
        MissAsync(kind, "view-users", "view-events", "query-users");

    private async Task MissAsync(KeycloakKind kind, string missing, params string[] given)
    {
        await using var scene = await ContractScene.CreateAsync(servers, postgres, kind);
        await GiveAsync(scene, given);
        await scene.LaunchBridgeAsync();
        await Eventually.TrueAsync(() => scene.Bridge.Log.Says($"the role {missing} of the client realm-management"), "the log names the role");
        var (status, page) = await ReadinessAsync(scene);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains($"the role {missing} of the client realm-management", page, StringComparison.Ordinal);
        var id = await scene.CreateUserAsync("ana");

        await GiveAsync(scene, "view-users", "view-events");
        await scene.Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll, HintSources.Reconciliation);
        await Eventually.TrueAsync(scene.IsReadyAsync, "the bridge is ready");
    }

    private static Task GiveAsync(ContractScene scene, params string[] roles) =>
        scene.Admin.SetServiceAccountRolesAsync(scene.Realm, DemoRealm.ClientId, roles, TestContext.Current.CancellationToken);

    private static async Task<(HttpStatusCode Status, string Page)> ReadinessAsync(ContractScene scene)
    {
        using var answer = await scene.Bridge.GetAsync("health/ready");
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }
}
