using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>Lists that fail at one user for ever, that hide somebody, and that are asked for at the same time.</summary>
public sealed class FaultyListingTests(PostgresServer postgres)
{
    private const string UsersPath = $"/{EmulatorDriver.Users}";
    private const string List = "GET /admin/realms/{realm}/users";
    private const string Count = "GET /admin/realms/{realm}/users/count";
    private const long LongAgo = 1_500_000_000_000;

    [Theory]
    [InlineData("Windows")]
    [InlineData("Counts")]
    public async Task A_user_whom_Keycloak_cannot_show_hides_nobody_else_and_is_read_once_that_can_be(string mode)
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 300);
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        // None makes up for another in a half that counts compare.
        foreach (var gone in (await bundle.PeopleAsync())[200..202])
            bundle.Realm.RemoveUser(gone);
        bundle.Realm.AddUser(new EmulatedUser("poison", "poison") { CreatedTimestamp = LongAgo });
        foreach (var (id, later) in (KeyValuePair<string, int>[])[new("before", -1), new("behind", 1)])
            bundle.Realm.AddUser(new EmulatedUser(id, id) { CreatedTimestamp = LongAgo + later });
        foreach (var id in (string[])["newest", "newest-2", "newest-3", "newest-4"])
            bundle.Realm.AddUser(new EmulatedUser(id, id) { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
        bundle.Keycloak.Server.Misbehaviour.Refuse(UsersPath, "poison", 400);

        var failed = await bundle.RunAsync(ReconcileBundle.By(mode));

        Assert.Equal((ReconcileStatus.Failed, 0L), (failed.Status, failed.Counts.Closed));
        Assert.Contains("window", failed.Reason, StringComparison.Ordinal);
        var accounts = await bundle.AccountsAsync();
        Assert.Empty(((string[])["before", "behind", "newest", "newest-2", "newest-3", "newest-4"]).Except(accounts));
        Assert.DoesNotContain("poison", accounts);

        bundle.Keycloak.Server.Misbehaviour.Reset();
        var next = await bundle.RunAsync(ReconcileBundle.By(mode));

        Assert.Equal((ReconcileStatus.Done, 2L), (next.Status, next.Counts.Closed));
        Assert.Empty((await bundle.PeopleAsync()).Except(await bundle.AccountsAsync()));
        if (mode == "Windows")
            Assert.Equal((failed.RunId, 305L), (next.RunId, next.Counts.Seen));
    }

    [Fact]
    public async Task Nobody_is_taken_for_gone_where_people_of_a_federation_make_up_for_who_is_hidden()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 30);
        bundle.Realm.AddToDirectory(new EmulatedUser("f:component:ana", "ana"));
        await bundle.RunAsync(ReconcileBundle.Everybody);
        bundle.Realm.HideFromLists((await bundle.PeopleAsync())[7]);

        var outcome = await bundle.RunAsync(ReconcileBundle.Everybody);

        Assert.Equal((ReconcileStatus.Done, 0L), (outcome.Status, outcome.Counts.Gone));
        Assert.True(bundle.Bridge.Log.Says(" 541 "));
    }

    [Fact]
    public async Task Nobody_is_taken_for_gone_where_the_list_itself_makes_Keycloak_import_people_and_hides_one()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 10);
        await bundle.RunAsync(ReconcileBundle.Everybody);
        foreach (var id in (await bundle.PeopleAsync())[..5])
            bundle.Realm.HideFromLists(id);
        for (var number = 0; number < 30; number++)
            bundle.Realm.AddToDirectory(new EmulatedUser($"ldap-{number:D2}", $"ldap-{number:D2}"));

        var outcome = await bundle.RunAsync(ReconcileBundle.Everybody);

        Assert.Equal((30L, 0L), (outcome.Counts.Provisioned, outcome.Counts.Gone));
        Assert.True(bundle.Bridge.Log.Says(" 541 "));
    }

    [Fact]
    public async Task A_list_that_imports_everybody_is_complete()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 101);
        await bundle.RunAsync(ReconcileBundle.Everybody);
        bundle.Realm.RemoveUser((await bundle.PeopleAsync())[7]);
        for (var number = 0; number < 30; number++)
            bundle.Realm.AddToDirectory(new EmulatedUser($"ldap-{number:D2}", $"ldap-{number:D2}"));

        var outcome = await bundle.RunAsync(ReconcileBundle.Everybody);

        Assert.Equal((30L, 1L), (outcome.Counts.Provisioned, outcome.Counts.Closed));
        Assert.False(bundle.Bridge.Log.Says(" 540 "));
    }

    [Fact]
    public async Task Who_is_missing_and_who_is_gone_in_one_crowded_moment_is_found()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 20);
        for (var number = 0; number < 150; number++)
            bundle.Realm.AddUser(new EmulatedUser($"same-{number:D3}", $"same-{number:D3}") { CreatedTimestamp = LongAgo });
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        bundle.Realm.RemoveUser("same-007");
        bundle.Realm.RemoveUser("same-123");

        var outcome = await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Counts));

        Assert.Equal((2L, 2L), (outcome.Counts.Gone, outcome.Counts.Closed));
        bundle.Realm.AddUser(new EmulatedUser("same-777", "same-777") { CreatedTimestamp = LongAgo });
        bundle.Realm.RemoveUser("same-100");
        var complete = await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        Assert.Equal((1L, 1L, 168L), (complete.Counts.Closed, complete.Counts.Provisioned, complete.Counts.Seen));
        bundle.Keycloak.Server.Requests.Reset();
        Assert.Equal(new ReconcileCounts(), (await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Counts))).Counts);
        Assert.Equal(0, bundle.Keycloak.Server.Requests[List]);
    }

    [Theory]
    [InlineData("Windows", UsersPath, List)]
    [InlineData("Counts", $"{UsersPath}/count", Count)]
    public async Task What_does_not_wait_for_each_other_is_asked_for_at_once(string mode, string path, string asked)
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 60);
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        bundle.Keycloak.Server.Misbehaviour.Hang(path, 2);
        bundle.Keycloak.Server.Requests.Reset();
        using var stop = new CancellationTokenSource();

        var run = ReconcileBundle.RunAsync(bundle.Bridge, ReconcileBundle.By(mode), null, stop.Token);
        await Eventually.TrueAsync(() => bundle.Keycloak.Server.Requests[asked] == 2, "two questions wait for their answers");
        await stop.CancelAsync();

        Assert.Equal(ReconcileStatus.Stopped, (await run).Status);
    }

    [Fact]
    public async Task Counts_that_were_stopped_in_a_long_listing_go_on_behind_it()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 5);
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        bundle.Realm.AddUsers(300, "more");
        using var stop = new CancellationTokenSource();
        var stopped = await ReconcileBundle.RunAsync(bundle.Bridge, ReconcileBundle.By(ReconcileMode.Counts), progress =>
        {
            if (progress.Counts.Seen >= 200)
                stop.Cancel();
        }, stop.Token);
        Assert.Equal(ReconcileStatus.Stopped, stopped.Status);
        bundle.Keycloak.Server.Requests.Reset();

        var continued = await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Counts));

        Assert.Equal((stopped.RunId, ReconcileStatus.Done, 300L), (continued.RunId, continued.Status, continued.Counts.Provisioned));
        Assert.InRange(bundle.Keycloak.Server.Requests[List], 1, 16);
        await bundle.AssertEverybodyHasAnAccountAsync();
    }
}
