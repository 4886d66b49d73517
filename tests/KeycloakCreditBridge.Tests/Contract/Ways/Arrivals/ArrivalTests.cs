using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;

public sealed class ArrivalTests(ContractFixtures scenes) : IClassFixture<ContractFixtures>
{
    // September 2001.
    private const long LongAgo = 1_000_000_000_000;

    private static readonly string[] Heard = [HintSources.Webhook, HintSources.Poll];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_registered_by_the_form_has_one_account_one_ledger_row_and_one_audit_row(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await scene.Database.AssertOpenedAsync(await scene.RegisterAsync("form"), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_created_by_an_administrator_has_one_account(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await scene.Database.AssertOpenedAsync(await scene.CreateUserAsync("made"), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task A_partial_import_gives_every_user_an_account_whatever_its_creation_time(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        string[] imported = [
            .. await scene.ImportUsersAsync(LongAgo, "old1", "old2", "old3"), .. await scene.ImportUsersAsync(null, "outside")];
        foreach (var id in imported)
            await scene.Database.AssertOpenedAsync(id, Heard);
        Assert.Equal(
            DateTimeOffset.FromUnixTimeMilliseconds(LongAgo).UtcDateTime,
            await scene.Database.ScalarAsync<DateTime>(
                "select created_at from keycloak_users where keycloak_id = @Id", new { Id = imported[0] }));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_of_an_identity_provider_has_one_account(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        await scene.Database.AssertOpenedAsync(await scene.ArriveThroughBrokerAsync("guest"), Heard);
    }

    [Fact]
    public async Task A_user_created_by_a_token_exchange_has_one_account()
    {
        var scene = await scenes.GetAsync(KeycloakKind.Emulator);
        await scene.Database.AssertOpenedAsync(await scene.EmulateArrivalAsync("exchanged", "REGISTER", "TOKEN_EXCHANGE"), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task Polling_alone_finds_all_of_them(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind, EventDelivery.Polling);
        foreach (var id in await ComeByEveryWayAsync(scene))
            await scene.Database.AssertOpenedAsync(id, HintSources.Poll);
    }

    [Theory, EveryKeycloak(SendsWebhooks = true)]
    public async Task Webhooks_alone_find_all_of_them(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind, EventDelivery.Webhooks);
        foreach (var id in await ComeByEveryWayAsync(scene))
            await scene.Database.AssertOpenedAsync(id, HintSources.Webhook);
    }

    [Theory, EveryKeycloak]
    public async Task A_service_account_has_no_account_and_a_user_with_such_a_name_has_one(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var stored = new JsonObject { ["enabledEventTypes"] = new JsonArray("REGISTER", "LOGIN", "CLIENT_LOGIN") };
        await scene.Admin.UpdateRealmAsync(scene.Realm, stored, Token);
        var itself = await scene.IdOfAsync($"service-account-{DemoRealm.ClientId}");
        await RequestTokensAsync(scene, 5);
        // Only an administrator's change makes the bridge evaluate such a user at all.
        await scene.UpdateUserAsync(itself, new JsonObject { ["firstName"] = "Bridge" });
        var user = await scene.RegisterAsync("service-account-x");

        await scene.Database.AssertOpenedAsync(user, Heard);
        await Eventually.TrueAsync(
            async () => (await scene.Database.RecordOfAsync(itself)).UserState is not null, "the service account was evaluated");
        Assert.Equal(new AccountRecord(null, null, null, null, null, "service_account"), await scene.Database.RecordOfAsync(itself));
    }

    [Fact]
    public async Task A_transient_user_has_no_account()
    {
        var scene = await scenes.GetAsync(KeycloakKind.Emulator);
        var transient = await scene.Emulated!.LoginLightweightAsync();
        await scene.CreateKnownAsync("lasting");
        Assert.Equal(
            0, await scene.Database.ScalarAsync<int>(
                "select count(*)::int from keycloak_users where keycloak_id = @transient", new { transient }));
        Assert.False(await scene.Database.HasAccountAsync(transient));
    }

    private static async Task<string[]> ComeByEveryWayAsync(ContractFixture scene) =>
    [
        await scene.RegisterAsync("form"),
        await scene.CreateUserAsync("made"),
        await scene.ArriveThroughBrokerAsync("guest"),
        .. await scene.ImportUsersAsync(LongAgo, "old1", "old2"),
    ];

    private static async Task RequestTokensAsync(ContractFixture scene, int count)
    {
        using var http = new HttpClient();
        var address = new Uri(scene.KeycloakUrl, $"realms/{scene.Realm}/protocol/openid-connect/token");
        for (var number = 0; number < count; number++)
        {
            using var form = new FormUrlEncodedContent(EmulatorFixture.Credentials(DemoRealm.ClientId, ContractFixture.Secret));
            using var answer = await http.PostAsync(address, form, Token);
            answer.EnsureSuccessStatusCode();
        }
    }
}
