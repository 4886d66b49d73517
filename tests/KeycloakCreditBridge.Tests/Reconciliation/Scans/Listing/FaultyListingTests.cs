using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Listing;

/// <summary>Lists that fail at one user for ever, that hide a user, and that are read at the same time.</summary>
public sealed class FaultyListingTests(PostgresFixture postgres)
{
    private const string UsersPath = $"/{EmulatorFixture.Users}";
    private const string List = "GET /admin/realms/{realm}/users";
    private const string Count = "GET /admin/realms/{realm}/users/count";
    private const long LongAgo = 1_500_000_000_000;

    [Theory]
    [InlineData("Windows")]
    [InlineData("Counts")]
    public async Task A_user_that_Keycloak_cannot_list_hides_no_other_and_is_read_once_that_works(string mode)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 300);
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        // None makes up for another in a half that counts compare.
        foreach (var deleted in (await fixture.UserIdsAsync())[200..202])
            fixture.Realm.RemoveUser(deleted);
        fixture.Realm.AddUser(new EmulatedUser("poison", "poison") { CreatedTimestamp = LongAgo });
        foreach (var (id, later) in (KeyValuePair<string, int>[])[new("before", -1), new("behind", 1)])
            fixture.Realm.AddUser(new EmulatedUser(id, id) { CreatedTimestamp = LongAgo + later });
        foreach (var id in (string[])["newest", "newest-2", "newest-3", "newest-4"])
            fixture.Realm.AddUser(new EmulatedUser(id, id) { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
        fixture.Keycloak.Server.Faults.FailWhenBodyContains(UsersPath, "poison", 400);

        var failed = await fixture.RunAsync(ReconciliationFixture.By(mode));

        Assert.Equal((ReconcileStatus.Failed, 0L), (failed.Status, failed.Counts.Closed));
        Assert.Contains("window", failed.Reason, StringComparison.Ordinal);
        var accounts = await fixture.AccountsAsync();
        Assert.Empty(((string[])["before", "behind", "newest", "newest-2", "newest-3", "newest-4"]).Except(accounts));
        Assert.DoesNotContain("poison", accounts);

        fixture.Keycloak.Server.Faults.Reset();
        var next = await fixture.RunAsync(ReconciliationFixture.By(mode));

        Assert.Equal((ReconcileStatus.Done, 2L), (next.Status, next.Counts.Closed));
        Assert.Empty((await fixture.UserIdsAsync()).Except(await fixture.AccountsAsync()));
        if (mode == "Windows")
            Assert.Equal((failed.RunId, 305L), (next.RunId, next.Counts.Seen));
    }

    [Fact]
    public async Task No_user_is_taken_for_deleted_where_federated_users_make_up_for_hidden_ones()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 30);
        fixture.Realm.AddToDirectory(new EmulatedUser("f:component:ana", "ana"));
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        fixture.Realm.HideFromLists((await fixture.UserIdsAsync())[7]);

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal((ReconcileStatus.Done, 0L), (outcome.Status, outcome.Counts.NotShown));
        Assert.True(fixture.Bridge.Log.Says(" 541 "));
    }

    [Fact]
    public async Task No_user_is_taken_for_deleted_where_the_list_imports_users_and_hides_one()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 10);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        foreach (var id in (await fixture.UserIdsAsync())[..5])
            fixture.Realm.HideFromLists(id);
        for (var number = 0; number < 30; number++)
            fixture.Realm.AddToDirectory(new EmulatedUser($"ldap-{number:D2}", $"ldap-{number:D2}"));

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal((30L, 0L), (outcome.Counts.Provisioned, outcome.Counts.NotShown));
        Assert.True(fixture.Bridge.Log.Says(" 541 "));
    }

    [Fact]
    public async Task A_list_that_imports_every_user_is_complete()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 101);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        fixture.Realm.RemoveUser((await fixture.UserIdsAsync())[7]);
        for (var number = 0; number < 30; number++)
            fixture.Realm.AddToDirectory(new EmulatedUser($"ldap-{number:D2}", $"ldap-{number:D2}"));

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal((30L, 1L), (outcome.Counts.Provisioned, outcome.Counts.Closed));
        Assert.False(fixture.Bridge.Log.Says(" 540 "));
    }

    [Fact]
    public async Task A_missing_and_a_deleted_user_in_one_oversized_window_are_found()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 20);
        for (var number = 0; number < 150; number++)
            fixture.Realm.AddUser(new EmulatedUser($"same-{number:D3}", $"same-{number:D3}") { CreatedTimestamp = LongAgo });
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        fixture.Realm.RemoveUser("same-007");
        fixture.Realm.RemoveUser("same-123");

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal((2L, 2L), (outcome.Counts.NotShown, outcome.Counts.Closed));
        fixture.Realm.AddUser(new EmulatedUser("same-777", "same-777") { CreatedTimestamp = LongAgo });
        fixture.Realm.RemoveUser("same-100");
        var complete = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        Assert.Equal((1L, 1L, 168L), (complete.Counts.Closed, complete.Counts.Provisioned, complete.Counts.Seen));
        fixture.Keycloak.Server.Requests.Reset();
        Assert.Equal(new ReconcileCounts(), (await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts))).Counts);
        Assert.Equal(0, fixture.Keycloak.Server.Requests[List]);
    }

    [Theory]
    [InlineData("Windows", UsersPath, List)]
    [InlineData("Counts", $"{UsersPath}/count", Count)]
    public async Task Independent_questions_are_asked_at_the_same_time(string mode, string path, string asked)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 60);
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        fixture.Keycloak.Server.Faults.Hang(path, 2);
        fixture.Keycloak.Server.Requests.Reset();
        using var stop = new CancellationTokenSource();

        var run = ReconciliationFixture.RunAsync(fixture.Bridge, ReconciliationFixture.By(mode), null, stop.Token);
        await Eventually.TrueAsync(() => fixture.Keycloak.Server.Requests[asked] == 2, "two questions wait for their answers");
        await stop.CancelAsync();

        Assert.Equal(ReconcileStatus.Stopped, (await run).Status);
    }

    [Fact]
    public async Task Counts_stopped_in_a_long_listing_resume_after_it()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        fixture.Realm.AddUsers(300, "more");
        using var stop = new CancellationTokenSource();
        var stopped = await ReconciliationFixture.RunAsync(fixture.Bridge, ReconciliationFixture.By(ReconcileMode.Counts), progress =>
        {
            if (progress.Counts.Seen >= 200)
                stop.Cancel();
        }, stop.Token);
        Assert.Equal(ReconcileStatus.Stopped, stopped.Status);
        fixture.Keycloak.Server.Requests.Reset();

        var continued = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal((stopped.RunId, ReconcileStatus.Done, 300L), (continued.RunId, continued.Status, continued.Counts.Provisioned));
        Assert.InRange(fixture.Keycloak.Server.Requests[List], 1, 16);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }
}
