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
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users);

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal(new ReconcileCounts(Seen: users, Missing: users, Provisioned: users), outcome.Counts);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task A_truncated_page_fails_the_run_and_counts_no_user_missing()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 35);

        var failed = await fixture.RunAsync(
            ReconciliationFixture.AllUsers with { DryRun = true },
            AfterPage(1, () => fixture.Keycloak.Server.Faults.Truncate(UsersPath, 100)));

        Assert.Equal((ReconcileStatus.Failed, new ReconcileCounts(Seen: 10, Missing: 10)), (failed.Status, failed.Counts));
        Assert.NotNull(failed.Reason);
        Assert.Equal("failed", await fixture.StatusOfLatestRunAsync());

        fixture.Keycloak.Server.Faults.Reset();
        var continued = await fixture.RunAsync(ReconciliationFixture.AllUsers with { DryRun = true });

        Assert.Equal((ReconcileStatus.Done, failed.RunId), (continued.Status, continued.RunId));
        Assert.Equal(new ReconcileCounts(Seen: 35, Missing: 35), continued.Counts);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public async Task Users_deleted_while_paging_hide_no_other(int deleted)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 45);
        var users = await fixture.UserIdsAsync();

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers, AfterPage(2, () => Remove(fixture, users[..deleted])));

        Assert.Equal(ReconcileStatus.Done, outcome.Status);
        Assert.Equal(users.Order(StringComparer.Ordinal), await fixture.AccountsAsync());
        Assert.Equal(45, outcome.Counts.Seen);
    }

    [Fact]
    public async Task Where_the_whole_end_of_a_page_is_deleted_the_list_is_read_from_its_start_again()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 45);
        var users = await fixture.UserIdsAsync();

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers, AfterPage(2, () => Remove(fixture, users[14..17])));

        Assert.Equal(users.Order(StringComparer.Ordinal), await fixture.AccountsAsync());
        Assert.Equal((45, 42), (outcome.Counts.Provisioned, outcome.Counts.Seen));
    }

    [Fact]
    public async Task Users_created_while_paging_are_counted_once()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 35);

        var outcome = await fixture.RunAsync(
            ReconciliationFixture.AllUsers with { DryRun = true }, AfterPage(1, () => fixture.Realm.AddUsers(5, "aaa")));

        Assert.Equal((35, 35), (outcome.Counts.Seen, outcome.Counts.Missing));
    }

    [Fact]
    public async Task A_realm_that_empties_while_paging_ends_the_run()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 35);
        var users = await fixture.UserIdsAsync();

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers, AfterPage(1, () => Remove(fixture, users)));

        Assert.Equal(ReconcileStatus.Done, outcome.Status);
    }

    private static void Remove(ReconciliationFixture fixture, IEnumerable<string> users)
    {
        foreach (var user in users)
            fixture.Realm.RemoveUser(user);
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
