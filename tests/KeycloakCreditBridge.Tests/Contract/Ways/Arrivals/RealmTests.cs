using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;

public sealed class RealmTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const int UsersOfEach = 10;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_of_a_realm_file_is_found_by_the_first_reconciliation(KeycloakKind kind)
    {
        await using var scene = await ContractFixture.CreateAsync(
            await servers.GetAsync(kind), postgres, EventDelivery.WebhooksAndPolling, "imported1", "imported2");
        await scene.StartBridgeAsync();
        foreach (var name in (string[])["imported1", "imported2"])
            await scene.Database.AssertOpenedAsync(await scene.IdOfAsync(name), HintSources.Reconciliation);
    }

    [Theory, EveryKeycloak]
    public async Task Users_of_several_realms_come_at_once_and_each_has_one_account_of_its_realm(KeycloakKind kind)
    {
        var server = await servers.GetAsync(kind);
        await using var scene = await ContractFixture.CreateAsync(server, postgres);
        var other = $"{scene.Realm}-other";
        await scene.Admin.ImportRealmAsync(other, DemoRealm.Json(ContractFixture.Secret, server.SendsWebhooks), Token);
        if (server.SendsWebhooks)
            await scene.Admin.CreateWebhookAsync(
                other, new Uri(scene.BridgeUrl, $"webhooks/keycloak/{other}"), ContractFixture.Secret, ["*"], Token);
        await scene.StartBridgeAsync(
            ("Keycloak:Realms:1:Name", other), ("Keycloak:Realms:1:WebhookSecrets:0", ContractFixture.Secret));

        var arrivals = from realm in (string[])[scene.Realm, other] from number in Enumerable.Range(0, UsersOfEach) select (realm, number);
        var ids = await Task.WhenAll(arrivals.Select(async arrival => (
            arrival.realm, Id: await scene.Admin.CreateUserAsync(arrival.realm, ContractFixture.Named($"crowd{arrival.number}"), Token))));
        foreach (var (realm, id) in ids)
        {
            await scene.Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll, HintSources.Reconciliation);
            Assert.Equal(
                realm, await scene.Database.ScalarAsync<string>("select realm from keycloak_users where keycloak_id = @id", new { id }));
        }
    }
}
