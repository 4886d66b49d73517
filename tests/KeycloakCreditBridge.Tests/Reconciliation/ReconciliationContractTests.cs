using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>What real Keycloaks and the emulator must show a reconciliation alike.</summary>
public sealed class ReconciliationContractTests(PostgresFixture postgres, KeycloakFixture servers)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Emulator)]
    [InlineData(KeycloakKind.Keycloak26_7)]
    [InlineData(KeycloakKind.Keycloak26_0)]
    public async Task Imported_users_get_accounts_and_service_accounts_get_none(KeycloakKind kind)
    {
        await using var world = await WorldAsync(kind);
        await world.Admin.PartialImportAsync(world.Realm, Enumerable.Range(0, 35).Select(number => Named($"person{number:D2}")), Token);
        await world.Admin.CreateUserAsync(world.Realm, Named("service-account-x"), Token);

        var outcome = await world.RunAsync(new RunRequest(world.Realm, RunTriggers.Command));
        var again = await world.RunAsync(new RunRequest(world.Realm, RunTriggers.Command));

        Assert.Equal((ReconcileStatus.Done, new ReconcileCounts(Seen: 36, Missing: 36, Provisioned: 36)), (outcome.Status, outcome.Counts));
        Assert.Equal(new ReconcileCounts(Seen: 36), again.Counts);
        Assert.Equal(36, await world.Database.ScalarAsync<int>("select count(*)::int from user_credits"));
    }

    [Theory]
    [InlineData(KeycloakKind.Emulator)]
    [InlineData(KeycloakKind.Keycloak26_7)]
    [InlineData(KeycloakKind.Keycloak26_0)]
    public async Task Users_are_found_by_name_address_and_id_and_a_service_account_is_recognised(KeycloakKind kind)
    {
        await using var world = await WorldAsync(kind);
        var id = await world.Admin.CreateUserAsync(world.Realm, Named("by-id"), Token);
        await world.Admin.CreateUserAsync(world.Realm, Named("by-name"), Token);
        await world.Admin.CreateUserAsync(world.Realm, Named("by-address"), Token);
        await world.Admin.CreateUserAsync(world.Realm, Named("other-user"), Token);
        var robot = (
            await world.Admin.FindUserAsync(world.Realm, $"service-account-{DemoRealm.ClientId}", Token))!["id"]!.GetValue<string>();

        var outcome = await world.RunAsync(new RunRequest(
            world.Realm, RunTriggers.Command, UserIds: [id, "By-Name", "by-address@example.com", robot, "../users"]));

        Assert.Equal(new ReconcileCounts(Seen: 4, Missing: 3, Provisioned: 3, Failed: 1), outcome.Counts);
        Assert.Equal(
            "service_account",
            await world.Database.ScalarAsync<string>("select user_state from keycloak_users where keycloak_id = @robot", new { robot }));
    }

    [Theory]
    [InlineData(KeycloakKind.Emulator)]
    [InlineData(KeycloakKind.Keycloak26_7)]
    [InlineData(KeycloakKind.Keycloak26_0)]
    public async Task A_client_that_may_not_see_users_is_told_so_and_no_user_is_taken_for_deleted(KeycloakKind kind)
    {
        await using var world = await WorldAsync(kind);
        await world.Admin.CreateUserAsync(world.Realm, Named("some-user"), Token);
        await world.Admin.SetServiceAccountRolesAsync(world.Realm, DemoRealm.ClientId, ["query-users"], Token);

        var outcome = await world.RunAsync(new RunRequest(world.Realm, RunTriggers.Command));

        Assert.Equal(ReconcileStatus.Failed, outcome.Status);
        Assert.Contains("view-users", outcome.Reason, StringComparison.Ordinal);
    }

    private async Task<World> WorldAsync(KeycloakKind kind)
    {
        var server = await servers.GetAsync(kind);
        var world = new World(KeycloakAdmin.Of(server), $"reconcile-{Guid.NewGuid():n}", await postgres.CreateDatabaseAsync());
        await world.Admin.ImportRealmAsync(world.Realm, DemoRealm.Json(BridgeFixture.Secret, server.SendsWebhooks), Token);
        world.Bridge = BridgeFixture.Build(
            BridgeFixture.Settings(world.Database.ConnectionString, server.Url), ("Keycloak:Realms:0:Name", world.Realm),
            ("Keycloak:ClientId", DemoRealm.ClientId));
        return world;
    }

    private static SandboxUser Named(string username) => new(username, $"{username}@example.com");

    private sealed class World(KeycloakAdmin admin, string realm, TestDatabase database) : IAsyncDisposable
    {
        public KeycloakAdmin Admin => admin;

        public string Realm => realm;

        public TestDatabase Database => database;

        public BridgeFixture? Bridge { get; set; }

        public Task<ReconcileOutcome> RunAsync(RunRequest request) => ReconciliationFixture.RunAsync(Bridge!, request, null, Token);

        public async ValueTask DisposeAsync()
        {
            await Bridge!.DisposeAsync();
            await admin.DeleteRealmAsync(realm, CancellationToken.None);
            admin.Dispose();
            await database.DisposeAsync();
        }
    }
}
