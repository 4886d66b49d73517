using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>People of a federation without import who are on record, in readings that do not list them.</summary>
public sealed class FederatedRecordTests(PostgresServer postgres)
{
    private const string Ana = "f:component:ana";
    private const string Ben = "f:component:ben";

    [Theory]
    [InlineData("Windows")]
    [InlineData("Database")]
    public async Task Who_is_gone_is_closed_although_no_list_shows_any_of_them_any_more(string mode)
    {
        await using var bundle = await StartAsync();
        bundle.Realm.RemoveUser(Ana);

        var outcome = await RunAsync(bundle, mode);

        Assert.Equal((ReconcileStatus.Done, 1L), (outcome.Status, outcome.Counts.Closed));
        Assert.Equal([Ana], await ClosedAsync(bundle));
    }

    [Fact]
    public async Task Who_is_there_stays_open_though_the_list_hides_them()
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
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        foreach (var gone in (string[])[Ana, Ben, "f:component:cem"])
            bundle.Realm.RemoveUser(gone);

        Assert.True((await RunAsync(bundle, "Windows")).Asks);

        Assert.Empty(await ClosedAsync(bundle));
    }

    private static Task<IReadOnlyList<string>> ClosedAsync(ReconcileBundle bundle) =>
        bundle.Database.QueryAsync<string>("select user_id from user_credits where status = 'closed'");

    private async Task<ReconcileOutcome> RunAsync(ReconcileBundle bundle, string mode)
    {
        await using var tables = await KeycloakTables.CreateAsync(postgres);
        await tables.CopyAsync(bundle.Keycloak);
        await using var bridge = BridgeHost.Build(bundle.Database, bundle.Keycloak, tables.Setting);
        return await ReconcileBundle.RunAsync(bridge, ReconcileBundle.By(mode), null, TestContext.Current.CancellationToken);
    }

    private async Task<ReconcileBundle> StartAsync()
    {
        var bundle = await ReconcileBundle.StartAsync(postgres, users: 101);
        bundle.Realm.AddToDirectory(new EmulatedUser(Ana, "ana"));
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        return bundle;
    }
}
