using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans;

/// <summary>What each way of reading a realm sees, and what it asks Keycloak for. Windows have about 10 users here, pages have 10.</summary>
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
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users);
        AddService(bundle, "robot");

        var outcome = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));

        Assert.Equal((ReconcileStatus.Done, ReconcileMode.Windows), (outcome.Status, outcome.Mode));
        Assert.Equal(new ReconcileCounts(Seen: users, Missing: users, Provisioned: users), outcome.Counts);
        await bundle.AssertAllUsersHaveAccountsAsync();
        Assert.Contains("robot", await bundle.Database.QueryAsync<string>("select keycloak_id from keycloak_users where user_state = 'service_account'"));
    }

    [Fact]
    public async Task Users_of_all_times_and_of_one_moment_are_found_by_windows()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 40);
        for (var number = 0; number < 40; number++)
            bundle.Realm.AddUser(new EmulatedUser($"same-{number:D2}", $"same-{number:D2}") { CreatedTimestamp = LongAgo });
        bundle.Realm.AddUser(new EmulatedUser("first", "first") { CreatedTimestamp = 0 });
        bundle.Realm.AddUser(new EmulatedUser("future", "future") { CreatedTimestamp = 33_000_000_000_000 });

        var outcome = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));

        Assert.Equal(82, outcome.Counts.Provisioned);
        await bundle.AssertAllUsersHaveAccountsAsync();
    }

    [Theory]
    [MemberData(nameof(Complete))]
    public async Task Users_without_a_creation_time_and_federated_users_are_found_by_a_complete_scan(string mode)
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 30);
        AddOdd(bundle);

        var outcome = await bundle.RunAsync(ReconciliationFixture.By(mode));

        Assert.Equal(new ReconcileCounts(Seen: 33, Missing: 33, Provisioned: 33), outcome.Counts);
        await bundle.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task The_realm_is_not_listed_where_the_counts_explain_the_users_outside_windows()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 30);
        bundle.Realm.AddUser(new EmulatedUser("undated", "undated"));
        bundle.Realm.AddUser(new EmulatedUser("before", "before") { CreatedTimestamp = -5 });
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        var explained = await ListsAsync(bundle);

        bundle.Realm.AddUser(new EmulatedUser("undated-2", "undated-2"));
        var unexplained = await ListsAsync(bundle);

        // Pages show seven more users each.
        Assert.InRange(unexplained, explained + 2, explained + 8);
        await bundle.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task Counts_list_no_user_where_nothing_differs()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 300);
        AddService(bundle, "robot");
        bundle.Realm.AddUser(new EmulatedUser("undated", "undated"));
        bundle.Realm.AddUser(new EmulatedUser("absurd", "absurd") { CreatedTimestamp = long.MaxValue });
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        bundle.Keycloak.Server.Requests.Reset();

        var outcome = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal((ReconcileStatus.Done, ReconcileMode.Counts), (outcome.Status, outcome.Mode));
        Assert.Equal(new ReconcileCounts(), outcome.Counts);
        Assert.Equal(0, bundle.Keycloak.Server.Requests[List]);
        Assert.InRange(bundle.Keycloak.Server.Requests[Count], 1, 4);
    }

    [Fact]
    public async Task Counts_find_the_few_missing_users_and_list_little_else()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 3_000);
        await using (var first = BridgeFixture.Build(bundle.Database, bundle.Keycloak, ("Reconciliation:WindowUsers", "1000")))
            await ReconciliationFixture.RunAsync(first, ReconciliationFixture.By(ReconcileMode.Windows), null, TestContext.Current.CancellationToken);
        var forgotten = (await bundle.UserIdsAsync())[1_234];
        await ForgetAsync(bundle, forgotten);
        bundle.Realm.AddUser(new EmulatedUser("newest", "newest") { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
        bundle.Realm.AddUser(new EmulatedUser("oldest", "oldest") { CreatedTimestamp = LongAgo });
        bundle.Realm.AddUser(new EmulatedUser("undated", "undated"));
        bundle.Keycloak.Server.Requests.Reset();

        var outcome = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal((ReconcileStatus.Done, 4L), (outcome.Status, outcome.Counts.Provisioned));
        await bundle.AssertAllUsersHaveAccountsAsync();
        Assert.InRange(bundle.Keycloak.Server.Requests[Count], 10, 60);
    }

    [Fact]
    public async Task Counts_find_a_user_that_was_deleted_without_an_event()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 500);
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        var gone = (await bundle.UserIdsAsync())[77];
        bundle.Realm.RemoveUser(gone);

        var outcome = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal((1L, 1L), (outcome.Counts.Gone, outcome.Counts.Closed));
        Assert.Equal("closed", await bundle.Database.ScalarAsync<string>($"select status from user_credits where user_id = '{gone}'"));
        Assert.Equal(new ReconcileCounts(), (await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts))).Counts);
    }

    [Fact]
    public async Task A_realm_that_was_never_scanned_is_read_completely_where_counts_were_asked_for()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 20);
        var first = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Quick));
        var second = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Quick));
        Assert.Equal((ReconcileMode.Windows, ReconcileMode.Counts), (first.Mode, second.Mode));
        await bundle.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task A_server_without_windows_is_listed_and_says_so_where_windows_were_asked_for()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 20, ServerModel.V26_0);
        Assert.Equal(ReconcileMode.List, (await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Auto))).Mode);
        Assert.Equal(ReconcileMode.List, (await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Quick))).Mode);
        var refused = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        Assert.Equal(ReconcileStatus.Failed, refused.Status);
        Assert.Contains("--mode list", refused.Reason, StringComparison.Ordinal);
        await bundle.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task Users_created_and_deleted_while_windows_are_read_hide_no_other()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 200);
        var people = await bundle.UserIdsAsync();
        var next = 0;

        var outcome = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows), progress =>
        {
            if (progress.Counts.Seen == 0 || next >= 60)
                return;
            bundle.Realm.RemoveUser(people[next]);
            bundle.Realm.RemoveUser(people[199 - next]);
            bundle.Realm.AddUser(new EmulatedUser($"new-{next}", $"new-{next}") { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
            next += 5;
        });

        Assert.Equal(ReconcileStatus.Done, outcome.Status);
        var stayed = people[60..140];
        Assert.Equal(stayed, stayed.Intersect(await bundle.AccountsAsync()));
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));
        Assert.Empty((await bundle.UserIdsAsync()).Except(await bundle.AccountsAsync()));
    }

    private static void AddService(ReconciliationFixture bundle, string id) => bundle.Realm.AddUser(
        new EmulatedUser(id, $"service-account-{id}") { ServiceAccountClientId = id, CreatedTimestamp = LongAgo });

    private static void AddOdd(ReconciliationFixture bundle)
    {
        AddService(bundle, "robot");
        bundle.Realm.AddUser(new EmulatedUser("undated", "undated"));
        bundle.Realm.AddUser(new EmulatedUser("before", "before") { CreatedTimestamp = -5 });
        bundle.Realm.AddToDirectory(new EmulatedUser("f:component:ana", "ana"));
    }

    private static async Task<int> ListsAsync(ReconciliationFixture bundle)
    {
        bundle.Keycloak.Server.Requests.Reset();
        Assert.Equal(ReconcileStatus.Done, (await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows))).Status);
        return bundle.Keycloak.Server.Requests[List];
    }

    private static Task<int> ForgetAsync(ReconciliationFixture bundle, string id) => bundle.Database.ExecuteAsync(
        $"""
        delete from keycloak_users where keycloak_id = '{id}';
        delete from credit_transactions where user_id = '{id}';
        delete from audit_logs where user_id = '{id}';
        delete from user_credits where user_id = '{id}';
        """);
}
