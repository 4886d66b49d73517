using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>Recorded federated users without import, in scans that do not list them.</summary>
public sealed class FederatedRecordTests(PostgresFixture postgres)
{
    private const string Ana = "f:component:ana";
    private const string Ben = "f:component:ben";

    [Theory]
    [InlineData("Windows")]
    [InlineData("Database")]
    public async Task A_deleted_federated_user_is_closed_although_no_list_shows_any_of_them(string mode)
    {
        await using var fixture = await StartAsync();
        fixture.Realm.RemoveUser(Ana);

        var outcome = await RunAsync(fixture, mode);

        Assert.Equal((ReconcileStatus.Done, 1L), (outcome.Status, outcome.Counts.Closed));
        Assert.Equal([Ana], await ClosedAsync(fixture));
    }

    [Fact]
    public async Task An_existing_federated_user_stays_open_although_the_list_hides_it()
    {
        await using var fixture = await StartAsync();
        fixture.Realm.HideFromLists(Ana);

        var outcome = await RunAsync(fixture, "Windows");

        Assert.Equal((ReconcileStatus.Done, 0L, 102L), (outcome.Status, outcome.Counts.NotShown, outcome.Counts.Seen));
        Assert.Empty(await ClosedAsync(fixture));
    }

    [Fact]
    public async Task More_than_the_share_are_not_closed_unasked()
    {
        await using var fixture = await StartAsync();
        fixture.Realm.AddToDirectory(new EmulatedUser(Ben, "ben"));
        fixture.Realm.AddToDirectory(new EmulatedUser("f:component:cem", "cem"));
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        foreach (var deleted in (string[])[Ana, Ben, "f:component:cem"])
            fixture.Realm.RemoveUser(deleted);

        Assert.True((await RunAsync(fixture, "Windows")).NeedsOperator);

        Assert.Empty(await ClosedAsync(fixture));
    }

    private static Task<IReadOnlyList<string>> ClosedAsync(ReconciliationFixture fixture) =>
        fixture.Database.QueryAsync<string>("select user_id from user_credits where status = 'closed'");

    private async Task<ReconcileOutcome> RunAsync(ReconciliationFixture fixture, string mode)
    {
        await using var tables = await KeycloakTables.CreateAsync(postgres);
        await tables.CopyAsync(fixture.Keycloak);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, tables.Setting);
        return await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.By(mode), null, TestContext.Current.CancellationToken);
    }

    private async Task<ReconciliationFixture> StartAsync()
    {
        var fixture = await ReconciliationFixture.StartAsync(postgres, users: 101);
        fixture.Realm.AddToDirectory(new EmulatedUser(Ana, "ana"));
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        return fixture;
    }
}
