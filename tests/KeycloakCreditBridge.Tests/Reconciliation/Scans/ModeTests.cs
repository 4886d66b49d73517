using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans;

/// <summary>
/// What each way of reading a realm sees, and what it asks Keycloak for. Windows have about 10 users here, pages have 10.
/// </summary>
public sealed class ModeTests(PostgresFixture postgres)
{
    private const string Count = "GET /admin/realms/{realm}/users/count";
    private const string List = "GET /admin/realms/{realm}/users";
    private const long LongAgo = 1_500_000_000_000;

    public static TheoryData<string> Complete => ["Windows", "List"];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(300)]
    public async Task Windows_show_every_user_once(int users)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users);
        AddService(fixture, "robot");

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));

        Assert.Equal((ReconcileStatus.Done, ReconcileMode.Windows), (outcome.Status, outcome.Mode));
        Assert.Equal(new ReconcileCounts(Seen: users, Missing: users, Provisioned: users), outcome.Counts);
        await fixture.AssertAllUsersHaveAccountsAsync();
        Assert.Contains(
            "robot",
            await fixture.Database.QueryAsync<string>("select keycloak_id from keycloak_users where user_state = 'service_account'"));
    }

    [Fact]
    public async Task Users_of_all_times_and_of_one_moment_are_found_by_windows()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 40);
        for (var number = 0; number < 40; number++)
            fixture.Realm.AddUser(new EmulatedUser($"same-{number:D2}", $"same-{number:D2}") { CreatedTimestamp = LongAgo });
        fixture.Realm.AddUser(new EmulatedUser("first", "first") { CreatedTimestamp = 0 });
        fixture.Realm.AddUser(new EmulatedUser("future", "future") { CreatedTimestamp = 33_000_000_000_000 });

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));

        Assert.Equal(82, outcome.Counts.Provisioned);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Theory]
    [MemberData(nameof(Complete))]
    public async Task Users_without_a_creation_time_and_federated_users_are_found_by_a_complete_scan(string mode)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 30);
        AddOdd(fixture);

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(mode));

        Assert.Equal(new ReconcileCounts(Seen: 33, Missing: 33, Provisioned: 33), outcome.Counts);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task The_realm_is_not_listed_where_the_counts_explain_the_users_outside_windows()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 30);
        fixture.Realm.AddUser(new EmulatedUser("no-date", "no-date"));
        fixture.Realm.AddUser(new EmulatedUser("before", "before") { CreatedTimestamp = -5 });
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        var explained = await ListsAsync(fixture);

        fixture.Realm.AddUser(new EmulatedUser("no-date-2", "no-date-2"));
        var unexplained = await ListsAsync(fixture);

        // Pages show seven more users each.
        Assert.InRange(unexplained, explained + 2, explained + 8);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task Counts_list_no_user_where_nothing_differs()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 300);
        AddService(fixture, "robot");
        fixture.Realm.AddUser(new EmulatedUser("no-date", "no-date"));
        fixture.Realm.AddUser(new EmulatedUser("absurd", "absurd") { CreatedTimestamp = long.MaxValue });
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        fixture.Keycloak.Server.Requests.Reset();

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal((ReconcileStatus.Done, ReconcileMode.Counts), (outcome.Status, outcome.Mode));
        Assert.Equal(new ReconcileCounts(), outcome.Counts);
        Assert.Equal(0, fixture.Keycloak.Server.Requests[List]);
        Assert.InRange(fixture.Keycloak.Server.Requests[Count], 1, 4);
    }

    [Fact]
    public async Task Counts_find_the_few_missing_users_and_list_little_else()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 3_000);
        await using (var first = BridgeFixture.Build(fixture.Database, fixture.Keycloak, ("Reconciliation:WindowUsers", "1000")))
            await ReconciliationFixture.RunAsync(
                first, ReconciliationFixture.By(ReconcileMode.Windows), null, TestContext.Current.CancellationToken);
        var forgotten = (await fixture.UserIdsAsync())[1_234];
        await ForgetAsync(fixture, forgotten);
        fixture.Realm.AddUser(new EmulatedUser("newest", "newest") { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
        fixture.Realm.AddUser(new EmulatedUser("oldest", "oldest") { CreatedTimestamp = LongAgo });
        fixture.Realm.AddUser(new EmulatedUser("no-date", "no-date"));
        fixture.Keycloak.Server.Requests.Reset();

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal((ReconcileStatus.Done, 4L), (outcome.Status, outcome.Counts.Provisioned));
        await fixture.AssertAllUsersHaveAccountsAsync();
        Assert.InRange(fixture.Keycloak.Server.Requests[Count], 10, 60);
    }

    [Fact]
    public async Task Counts_find_a_user_that_was_deleted_without_an_event()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 500);
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        var deleted = (await fixture.UserIdsAsync())[77];
        fixture.Realm.RemoveUser(deleted);

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal((1L, 1L), (outcome.Counts.NotShown, outcome.Counts.Closed));
        Assert.Equal("closed", await fixture.Database.ScalarAsync<string>($"select status from user_credits where user_id = '{deleted}'"));
        Assert.Equal(new ReconcileCounts(), (await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts))).Counts);
    }

    [Fact]
    public async Task A_realm_that_was_never_scanned_is_read_completely_where_counts_were_asked_for()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 20);
        var first = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Quick));
        var second = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Quick));
        Assert.Equal((ReconcileMode.Windows, ReconcileMode.Counts), (first.Mode, second.Mode));
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task A_server_without_windows_is_listed_and_says_so_where_windows_were_asked_for()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 20, ServerModel.V26_0);
        Assert.Equal(ReconcileMode.List, (await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Auto))).Mode);
        Assert.Equal(ReconcileMode.List, (await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Quick))).Mode);
        var refused = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        Assert.Equal(ReconcileStatus.Failed, refused.Status);
        Assert.Contains("--mode list", refused.Reason, StringComparison.Ordinal);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task Users_created_and_deleted_while_windows_are_read_hide_no_other()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 200);
        var users = await fixture.UserIdsAsync();
        var next = 0;

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows), progress =>
        {
            if (progress.Counts.Seen == 0 || next >= 60)
                return;
            fixture.Realm.RemoveUser(users[next]);
            fixture.Realm.RemoveUser(users[199 - next]);
            fixture.Realm.AddUser(
                new EmulatedUser($"new-{next}", $"new-{next}") { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
            next += 5;
        });

        Assert.Equal(ReconcileStatus.Done, outcome.Status);
        var stayed = users[60..140];
        Assert.Equal(stayed, stayed.Intersect(await fixture.AccountsAsync()));
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));
        Assert.Empty((await fixture.UserIdsAsync()).Except(await fixture.AccountsAsync()));
    }

    private static void AddService(ReconciliationFixture fixture, string id) => fixture.Realm.AddUser(
        new EmulatedUser(id, $"service-account-{id}") { ServiceAccountClientId = id, CreatedTimestamp = LongAgo });

    private static void AddOdd(ReconciliationFixture fixture)
    {
        AddService(fixture, "robot");
        fixture.Realm.AddUser(new EmulatedUser("no-date", "no-date"));
        fixture.Realm.AddUser(new EmulatedUser("before", "before") { CreatedTimestamp = -5 });
        fixture.Realm.AddToDirectory(new EmulatedUser("f:component:ana", "ana"));
    }

    private static async Task<int> ListsAsync(ReconciliationFixture fixture)
    {
        fixture.Keycloak.Server.Requests.Reset();
        Assert.Equal(ReconcileStatus.Done, (await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows))).Status);
        return fixture.Keycloak.Server.Requests[List];
    }

    private static Task<int> ForgetAsync(ReconciliationFixture fixture, string id) => fixture.Database.ExecuteAsync(
        $"""
        delete from keycloak_users where keycloak_id = '{id}';
        delete from credit_transactions where user_id = '{id}';
        delete from audit_logs where user_id = '{id}';
        delete from user_credits where user_id = '{id}';
        """);
}
