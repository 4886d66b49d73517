using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Listing;

public sealed class PagingTests(PostgresFixture postgres)
{
    private const string UsersPath = $"/{EmulatorFixture.Users}";

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(17)]
    [InlineData(100)]
    public async Task Every_user_is_seen_once_whatever_the_last_page_holds(int users)
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users);

        var outcome = await bundle.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal(new ReconcileCounts(Seen: users, Missing: users, Provisioned: users), outcome.Counts);
        await bundle.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task A_truncated_page_fails_the_run_and_counts_no_user_missing()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 35);

        var failed = await bundle.RunAsync(
            ReconciliationFixture.AllUsers with { DryRun = true }, AfterPage(1, () => bundle.Keycloak.Server.Faults.Truncate(UsersPath, 100)));

        Assert.Equal((ReconcileStatus.Failed, new ReconcileCounts(Seen: 10, Missing: 10)), (failed.Status, failed.Counts));
        Assert.NotNull(failed.Reason);
        Assert.Equal("failed", await bundle.StatusOfLatestRunAsync());

        bundle.Keycloak.Server.Faults.Reset();
        var continued = await bundle.RunAsync(ReconciliationFixture.AllUsers with { DryRun = true });

        Assert.Equal((ReconcileStatus.Done, failed.RunId), (continued.Status, continued.RunId));
        Assert.Equal(new ReconcileCounts(Seen: 35, Missing: 35), continued.Counts);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public async Task Users_deleted_while_paging_hide_no_other(int deleted)
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 45);
        var people = await bundle.UserIdsAsync();

        var outcome = await bundle.RunAsync(ReconciliationFixture.AllUsers, AfterPage(2, () => Remove(bundle, people[..deleted])));

        Assert.Equal(ReconcileStatus.Done, outcome.Status);
        Assert.Equal(people.Order(StringComparer.Ordinal), await bundle.AccountsAsync());
        Assert.Equal(45, outcome.Counts.Seen);
    }

    [Fact]
    public async Task Where_the_whole_end_of_a_page_is_deleted_the_list_is_read_from_its_start_again()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 45);
        var people = await bundle.UserIdsAsync();

        var outcome = await bundle.RunAsync(ReconciliationFixture.AllUsers, AfterPage(2, () => Remove(bundle, people[14..17])));

        Assert.Equal(people.Order(StringComparer.Ordinal), await bundle.AccountsAsync());
        Assert.Equal((45, 42), (outcome.Counts.Provisioned, outcome.Counts.Seen));
    }

    [Fact]
    public async Task Users_created_while_paging_are_counted_once()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 35);

        var outcome = await bundle.RunAsync(ReconciliationFixture.AllUsers with { DryRun = true }, AfterPage(1, () => bundle.Realm.AddUsers(5, "aaa")));

        Assert.Equal((35, 35), (outcome.Counts.Seen, outcome.Counts.Missing));
    }

    [Fact]
    public async Task A_realm_that_empties_while_paging_ends_the_run()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 35);
        var people = await bundle.UserIdsAsync();

        var outcome = await bundle.RunAsync(ReconciliationFixture.AllUsers, AfterPage(1, () => Remove(bundle, people)));

        Assert.Equal(ReconcileStatus.Done, outcome.Status);
    }

    private static void Remove(ReconciliationFixture bundle, IEnumerable<string> users)
    {
        foreach (var user in users)
            bundle.Realm.RemoveUser(user);
    }

    // The first report comes before the first page.
    private static Action<ReconcileProgress> AfterPage(int page, Action act)
    {
        var reports = -1;
        return _ =>
        {
            if (++reports == page)
                act();
        };
    }
}
