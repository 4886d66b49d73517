using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Listing;

/// <summary>
/// Where federated users are left to their first login, a realm is listed in two parts: unverified and verified addresses.
/// </summary>
public sealed class StoredListingTests(PostgresFixture postgres)
{
    private const string Signed = "f:component:ana";

    private static readonly (string Key, string? Value) OnFirstLogin = ("Keycloak:Realms:0:FederatedUsers", "OnFirstLogin");

    [Fact]
    public async Task Every_user_but_service_accounts_is_found_in_either_part_of_the_listing()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        await using var bridge = Bridge(fixture);
        AddUsers(fixture);

        var outcome = await RunAsync(bridge);

        Assert.Equal((ReconcileStatus.Done, new ReconcileCounts(Seen: 50, Missing: 50, Provisioned: 50)), (outcome.Status, outcome.Counts));
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task A_run_stopped_in_the_second_part_finds_the_rest_when_it_resumes()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        await using var bridge = Bridge(fixture);
        AddUsers(fixture);
        using var stop = new CancellationTokenSource();

        var stopped = await ReconciliationFixture.RunAsync(
            bridge, ReconciliationFixture.AllUsers, progress => StopBehind(35, progress, stop), stop.Token);
        var continued = await RunAsync(bridge);

        Assert.Equal((ReconcileStatus.Stopped, ReconcileStatus.Done), (stopped.Status, continued.Status));
        Assert.Equal(50, continued.Counts.Provisioned);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Theory]
    [InlineData("Windows")]
    [InlineData("List")]
    [InlineData("Counts")]
    [InlineData("Database")]
    public async Task A_federated_user_that_signed_in_is_kept_and_one_that_did_not_gets_no_account(string mode)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 25);
        await using var tables = await KeycloakTables.CreateAsync(postgres);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, OnFirstLogin, tables.Setting);
        foreach (var id in (string[])[Signed, "f:component:ben"])
            fixture.Realm.AddToDirectory(new EmulatedUser(id, id[^3..]));
        await tables.CopyAsync(fixture.Keycloak);
        await RunAsync(bridge, ReconciliationFixture.By(ReconcileMode.Windows));
        await bridge.StartAsync();
        await bridge.Services.GetRequiredService<HintWriter>().WriteAsync(
            [new UserHint(EmulatorFixture.Realm, Signed, HintKind.Seen, "LOGIN", HintSources.Poll)], TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(async () => (await fixture.AccountsAsync()).Contains(Signed), "a user that signs in has an account");
        await bridge.StopAsync();
        fixture.Keycloak.Server.Requests.Reset();

        var outcome = await RunAsync(bridge, ReconciliationFixture.By(mode) with { AllowClosing = 100 });

        Assert.Equal((ReconcileStatus.Done, 0L, 0L), (outcome.Status, outcome.Counts.NotShown, outcome.Counts.Provisioned));
        Assert.Equal(0, fixture.Keycloak.Server.Requests["GET /admin/realms/{realm}/users/{id}"]);
        Assert.Equal(
            "active",
            await fixture.Database.ScalarAsync<string>("select status from user_credits where user_id = @Signed", new { Signed }));
        Assert.Equal(26, (await fixture.AccountsAsync()).Length);
    }

    private static BridgeFixture Bridge(ReconciliationFixture fixture) =>
        BridgeFixture.Build(fixture.Database, fixture.Keycloak, OnFirstLogin);

    private static Task<ReconcileOutcome> RunAsync(BridgeFixture bridge) => RunAsync(bridge, ReconciliationFixture.AllUsers);

    private static Task<ReconcileOutcome> RunAsync(BridgeFixture bridge, RunRequest request) =>
        ReconciliationFixture.RunAsync(bridge, request, null, TestContext.Current.CancellationToken);

    private static void StopBehind(long seen, ReconcileProgress progress, CancellationTokenSource stop)
    {
        if (progress.Counts.Seen > seen)
            stop.Cancel();
    }

    private static void AddUsers(ReconciliationFixture fixture)
    {
        fixture.Realm.AddUsers(25);
        for (var number = 0; number < 25; number++)
            fixture.Realm.AddUser(new EmulatedUser($"verified-{number}", $"verified{number:D2}") { EmailVerified = true });
        fixture.Realm.AddUser(
            new EmulatedUser("robot", "service-account-robot") { ServiceAccountClientId = "robot", EmailVerified = true });
    }
}
