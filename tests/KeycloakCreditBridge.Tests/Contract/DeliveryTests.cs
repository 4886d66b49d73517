using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

public sealed class DeliveryTests(KeycloakFixture servers, PostgresFixture postgres)
{
    [Theory, EveryKeycloak(SendsWebhooks = true)]
    public async Task Deliveries_signed_with_another_secret_are_refused_and_polling_finds_the_user(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind);
        await fixture.StartBridgeAsync(("Keycloak:Realms:0:WebhookSecrets:0", "quite-another-secret"));
        await fixture.Database.AssertOpenedAsync(await fixture.CreateUserAsync("ana"), HintSources.Poll);
        await Eventually.TrueAsync(
            () => fixture.Bridge.Log.Says($"A webhook for realm '{fixture.Realm}' was refused with 401 signature_wrong"),
            "the bridge says that it refuses");
    }

    [Theory, EveryKeycloak(SendsWebhooks = true)]
    public async Task A_delivery_that_cannot_be_stored_is_answered_503_and_comes_again(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Webhooks);
        await fixture.StartBridgeAsync();
        await fixture.Database.ExecuteAsync("alter table user_hints rename to user_hints_away");
        var id = await fixture.CreateUserAsync("ana");
        await Eventually.TrueAsync(() => fixture.Bridge.Log.Says("Webhooks are answered with 503"), "the bridge says that it cannot store");
        Assert.False(await fixture.Database.HasAccountAsync(id));
        await fixture.Database.ExecuteAsync("alter table user_hints_away rename to user_hints");
        await fixture.Database.AssertOpenedAsync(id, HintSources.Webhook);
        await Eventually.TrueAsync(() => fixture.Bridge.Log.Says("Webhooks are stored again"), "the bridge says that it stores again");
    }
}
