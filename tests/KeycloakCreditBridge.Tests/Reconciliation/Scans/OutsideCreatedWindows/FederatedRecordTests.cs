using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>People of a federation without import who are on record, in readings that do not list them.</summary>
public sealed class FederatedRecordTests(PostgresFixture postgres)
{
    private const string Ana = "f:component:ana";
    private const string Ben = "f:component:ben";

    [Theory]
    [InlineData("Windows")]
    [InlineData("Database")]
    public async Task A_deleted_federated_user_is_closed_although_no_list_shows_any_of_them(string mode)
    {
        await using var bundle = await StartAsync();
        bundle.Realm.RemoveUser(Ana);

        var outcome = await RunAsync(bundle, mode);

        Assert.Equal((ReconcileStatus.Done, 1L), (outcome.Status, outcome.Counts.Closed));
        Assert.Equal([Ana], await ClosedAsync(bundle));
    }

    [Fact]
    public async Task An_existing_federated_user_stays_open_although_the_list_hides_it()
    {
        await using var bundle = await StartAsync();
        bundle.Realm.HideFromLists(Ana);

        var outcome = await RunAsync(bundle, "Windows");

        Assert.Equal((ReconcileStatus.Done, 0L, 102L), (outcome.Status, outcome.Counts.Gone, outcome.Counts.Seen));
        Assert.Empty(await ClosedAsync(bundle));
    }

    [Fact]
    public async Task More_than_the_share_are_not_closed_unasked()
    {
        await using var bundle = await StartAsync();
        bundle.Realm.AddToDirectory(new EmulatedUser(Ben, "ben"));
        bundle.Realm.AddToDirectory(new EmulatedUser("f:component:cem", "cem"));
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        foreach (var gone in (string[])[Ana, Ben, "f:component:cem"])
            bundle.Realm.RemoveUser(gone);

        Assert.True((await RunAsync(bundle, "Windows")).NeedsOperator);

        Assert.Empty(await ClosedAsync(bundle));
    }

    private static Task<IReadOnlyList<string>> ClosedAsync(ReconciliationFixture bundle) =>
        bundle.Database.QueryAsync<string>("select user_id from user_credits where status = 'closed'");

    private async Task<ReconcileOutcome> RunAsync(ReconciliationFixture bundle, string mode)
    {
        await using var tables = await KeycloakTables.CreateAsync(postgres);
        await tables.CopyAsync(bundle.Keycloak);
        await using var bridge = BridgeFixture.Build(bundle.Database, bundle.Keycloak, tables.Setting);
        return await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.By(mode), null, TestContext.Current.CancellationToken);
    }

    private async Task<ReconciliationFixture> StartAsync()
    {
        var bundle = await ReconciliationFixture.StartAsync(postgres, users: 101);
        bundle.Realm.AddToDirectory(new EmulatedUser(Ana, "ana"));
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        return bundle;
    }
}
