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
        await using var fixture = await ContractFixture.CreateAsync(
            await servers.GetAsync(kind), postgres, EventDelivery.WebhooksAndPolling, "imported1", "imported2");
        await fixture.StartBridgeAsync();
        foreach (var name in (string[])["imported1", "imported2"])
            await fixture.Database.AssertOpenedAsync(await fixture.IdOfAsync(name), HintSources.Reconciliation);
    }

    [Theory, EveryKeycloak]
    public async Task Users_of_several_realms_come_at_once_and_each_has_one_account_of_its_realm(KeycloakKind kind)
    {
        var server = await servers.GetAsync(kind);
        await using var fixture = await ContractFixture.CreateAsync(server, postgres);
        var other = $"{fixture.Realm}-other";
        await fixture.Admin.ImportRealmAsync(other, DemoRealm.Json(ContractFixture.Secret, server.SendsWebhooks), Token);
        if (server.SendsWebhooks)
            await fixture.Admin.CreateWebhookAsync(
                other, new Uri(fixture.BridgeUrl, $"webhooks/keycloak/{other}"), ContractFixture.Secret, ["*"], Token);
        await fixture.StartBridgeAsync(
            ("Keycloak:Realms:1:Name", other), ("Keycloak:Realms:1:WebhookSecrets:0", ContractFixture.Secret));

        var arrivals = from realm in (string[])[fixture.Realm, other]
            from number in Enumerable.Range(0, UsersOfEach) select (realm, number);
        var ids = await Task.WhenAll(arrivals.Select(async arrival => (
            arrival.realm, Id: await fixture.Admin.CreateUserAsync(arrival.realm, ContractFixture.Named($"crowd{arrival.number}"),
                Token))));
        foreach (var (realm, id) in ids)
        {
            await fixture.Database.AssertOpenedAsync(id, HintSources.Webhook, HintSources.Poll, HintSources.Reconciliation);
            Assert.Equal(
                realm, await fixture.Database.ScalarAsync<string>("select realm from keycloak_users where keycloak_id = @id", new { id }));
        }
    }
}
