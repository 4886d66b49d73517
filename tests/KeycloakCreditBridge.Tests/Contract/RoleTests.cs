using System.Net;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract;

public sealed class RoleTests(ContractFixtures fixtures) : IClassFixture<ContractFixtures>
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
        var fixture = await fixtures.GetWithoutBridgeAsync(kind);
        await fixture.StopBridgeAsync();
        await GiveAsync(fixture, given);
        await fixture.LaunchBridgeAsync();
        var complaint = $"the role {missing} of the client realm-management";
        await Eventually.TrueAsync(() => fixture.Bridge.Log.Says(complaint), "the log names the role");
        await Eventually.TrueAsync(
            async () => await ReadinessAsync(fixture) is (HttpStatusCode.ServiceUnavailable, var page)
                && page.Contains(complaint, StringComparison.Ordinal),
            "the bridge is not ready and names the role");
        var id = await fixture.CreateUserAsync($"without-{missing}-with-{string.Join('-', given)}");

        await GiveAsync(fixture, "view-users", "view-events");
        // What was refused is tried again later each time, one thing after the other.
        await Eventually.TrueAsync(() => fixture.Database.HasAccountAsync(id), "the account is opened", TimeSpan.FromMinutes(3));
        await fixture.Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll, HintSources.Reconciliation);
        await Eventually.TrueAsync(fixture.IsReadyAsync, "the bridge is ready", TimeSpan.FromMinutes(3));
    }

    private static Task GiveAsync(ContractFixture fixture, params string[] roles) =>
        fixture.Admin.SetServiceAccountRolesAsync(fixture.Realm, DemoRealm.ClientId, roles, TestContext.Current.CancellationToken);

    private static async Task<(HttpStatusCode Status, string Page)> ReadinessAsync(ContractFixture fixture)
    {
        using var answer = await fixture.Bridge.GetAsync("health/ready");
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }
}
