using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;

public sealed class ArrivalTests(ContractFixtures fixtures) : IClassFixture<ContractFixtures>
{
    // September 2001.
    private const long LongAgo = 1_000_000_000_000;

    private static readonly string[] Heard = [HintSources.Webhook, HintSources.Poll];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_registered_by_the_form_has_one_account_one_ledger_row_and_one_audit_row(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        await fixture.Database.AssertOpenedAsync(await fixture.RegisterAsync("form"), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_created_by_an_administrator_has_one_account(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        await fixture.Database.AssertOpenedAsync(await fixture.CreateUserAsync("made"), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task A_partial_import_gives_every_user_an_account_whatever_its_creation_time(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        string[] imported = [
            .. await fixture.ImportUsersAsync(LongAgo, "old1", "old2", "old3"), .. await fixture.ImportUsersAsync(null, "outside")];
        foreach (var id in imported)
            await fixture.Database.AssertOpenedAsync(id, Heard);
        Assert.Equal(
            DateTimeOffset.FromUnixTimeMilliseconds(LongAgo).UtcDateTime,
            await fixture.Database.ScalarAsync<DateTime>(
                "select created_at from keycloak_users where keycloak_id = @Id", new { Id = imported[0] }));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_of_an_identity_provider_has_one_account(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        await fixture.Database.AssertOpenedAsync(await fixture.ArriveThroughBrokerAsync("guest"), Heard);
    }

    [Fact]
    public async Task A_user_created_by_a_token_exchange_has_one_account()
    {
        var fixture = await fixtures.GetAsync(KeycloakKind.Emulator);
        await fixture.Database.AssertOpenedAsync(await fixture.EmulateArrivalAsync("exchanged", "REGISTER", "TOKEN_EXCHANGE"), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task Polling_alone_finds_all_of_them(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind, EventDelivery.Polling);
        foreach (var id in await ComeByEveryWayAsync(fixture))
            await fixture.Database.AssertOpenedAsync(id, HintSources.Poll);
    }

    [Theory, EveryKeycloak(SendsWebhooks = true)]
    public async Task Webhooks_alone_find_all_of_them(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind, EventDelivery.Webhooks);
        foreach (var id in await ComeByEveryWayAsync(fixture))
            await fixture.Database.AssertOpenedAsync(id, HintSources.Webhook);
    }

    [Theory, EveryKeycloak]
    public async Task A_service_account_has_no_account_and_a_user_with_such_a_name_has_one(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        var stored = new JsonObject { ["enabledEventTypes"] = new JsonArray("REGISTER", "LOGIN", "CLIENT_LOGIN") };
        await fixture.Admin.UpdateRealmAsync(fixture.Realm, stored, Token);
        var itself = await fixture.IdOfAsync($"service-account-{DemoRealm.ClientId}");
        await RequestTokensAsync(fixture, 5);
        // Only an administrator's change makes the bridge evaluate such a user at all.
        await fixture.UpdateUserAsync(itself, new JsonObject { ["firstName"] = "Bridge" });
        var user = await fixture.RegisterAsync("service-account-x");

        await fixture.Database.AssertOpenedAsync(user, Heard);
        await Eventually.TrueAsync(
            async () => (await fixture.Database.RecordOfAsync(itself)).UserState is not null, "the service account was evaluated");
        Assert.Equal(new AccountRecord(null, null, null, null, null, "service_account"), await fixture.Database.RecordOfAsync(itself));
    }

    [Fact]
    public async Task A_transient_user_has_no_account()
    {
        var fixture = await fixtures.GetAsync(KeycloakKind.Emulator);
        var transient = await fixture.Emulated!.LoginLightweightAsync();
        await fixture.CreateKnownAsync("lasting");
        Assert.Equal(
            0, await fixture.Database.ScalarAsync<int>(
                "select count(*)::int from keycloak_users where keycloak_id = @transient", new { transient }));
        Assert.False(await fixture.Database.HasAccountAsync(transient));
    }

    private static async Task<string[]> ComeByEveryWayAsync(ContractFixture fixture) =>
    [
        await fixture.RegisterAsync("form"),
        await fixture.CreateUserAsync("made"),
        await fixture.ArriveThroughBrokerAsync("guest"),
        .. await fixture.ImportUsersAsync(LongAgo, "old1", "old2"),
    ];

    private static async Task RequestTokensAsync(ContractFixture fixture, int count)
    {
        using var http = new HttpClient();
        var address = new Uri(fixture.KeycloakUrl, $"realms/{fixture.Realm}/protocol/openid-connect/token");
        for (var number = 0; number < count; number++)
        {
            using var form = new FormUrlEncodedContent(EmulatorFixture.Credentials(DemoRealm.ClientId, ContractFixture.Secret));
            using var answer = await http.PostAsync(address, form, Token);
            answer.EnsureSuccessStatusCode();
        }
    }
}
