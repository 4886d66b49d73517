using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>Where federated users are left to their first login, a realm is listed in two parts: unverified and verified addresses.</summary>
public sealed class StoredListingTests(PostgresServer postgres)
{
    [Fact]
    public async Task Everybody_but_service_accounts_is_found_in_either_part_of_the_listing()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres);
        await using var bridge = Bridge(bundle);
        AddPeople(bundle);

        var outcome = await RunAsync(bridge);

        Assert.Equal((ReconcileStatus.Done, new ReconcileCounts(Seen: 50, Missing: 50, Provisioned: 50)), (outcome.Status, outcome.Counts));
        await bundle.AssertEverybodyHasAnAccountAsync();
    }

    [Fact]
    public async Task A_run_that_was_stopped_in_the_second_part_finds_the_rest_when_it_is_continued()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres);
        await using var bridge = Bridge(bundle);
        AddPeople(bundle);
        using var stop = new CancellationTokenSource();

        var stopped = await ReconcileBundle.RunAsync(
            bridge, ReconcileBundle.Everybody, progress => StopBehind(35, progress, stop), stop.Token);
        var continued = await RunAsync(bridge);

        Assert.Equal((ReconcileStatus.Stopped, ReconcileStatus.Done), (stopped.Status, continued.Status));
        Assert.Equal(50, continued.Counts.Provisioned);
        await bundle.AssertEverybodyHasAnAccountAsync();
    }

    private static BridgeHost Bridge(ReconcileBundle bundle) =>
        BridgeHost.Build(bundle.Database, bundle.Keycloak, ("Keycloak:Realms:0:FederatedUsers", "OnFirstLogin"));

    private static Task<ReconcileOutcome> RunAsync(BridgeHost bridge) =>
        ReconcileBundle.RunAsync(bridge, ReconcileBundle.Everybody, null, TestContext.Current.CancellationToken);

    private static void StopBehind(long seen, ReconcileProgress progress, CancellationTokenSource stop)
    {
        if (progress.Counts.Seen > seen)
            stop.Cancel();
    }

    private static void AddPeople(ReconcileBundle bundle)
    {
        bundle.Realm.AddUsers(25);
        for (var number = 0; number < 25; number++)
            bundle.Realm.AddUser(new EmulatedUser($"verified-{number}", $"verified{number:D2}") { EmailVerified = true });
        bundle.Realm.AddUser(new EmulatedUser("robot", "service-account-robot") { ServiceAccountClientId = "robot", EmailVerified = true });
    }
}
