using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Runs;

public sealed class ReconcileRunTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Of_two_runs_at_once_one_does_nothing()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 35);
        await using var other = fixture.NewBridge();
        ReconcileOutcome? meanwhile = null;

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers, progress =>
        {
            if (progress.Counts.Seen == 10)
                meanwhile = RunInOther(other, ReconciliationFixture.AllUsers with { ReEvaluate = true }).GetAwaiter().GetResult();
        });

        Assert.Equal((ReconcileStatus.AlreadyRunning, null), (meanwhile!.Status, meanwhile.RunId));
        Assert.Contains("10 of 35 users seen", meanwhile.Reason, StringComparison.Ordinal);
        Assert.Equal((ReconcileStatus.Done, 35), (outcome.Status, outcome.Counts.Provisioned));
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from reconcile_runs"));
    }

    [Fact]
    public async Task A_stopped_run_is_resumed_by_another_process()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 55);
        using var stop = new CancellationTokenSource();
        var stopped = await ReconciliationFixture.RunAsync(
            fixture.Bridge, ReconciliationFixture.AllUsers, progress => StopAt(progress, 20, stop), stop.Token);
        Assert.Equal((ReconcileStatus.Stopped, 24), (stopped.Status, stopped.Counts.Provisioned));
        Assert.Equal("stopped", await fixture.StatusOfLatestRunAsync());

        await using var other = fixture.NewBridge();
        fixture.Keycloak.Server.Requests.Reset();
        var continued = await RunInOther(other, ReconciliationFixture.AllUsers);

        Assert.Equal((ReconcileStatus.Done, stopped.RunId), (continued.Status, continued.RunId));
        Assert.Equal(new ReconcileCounts(Seen: 55, Missing: 55, Provisioned: 55), continued.Counts);
        Assert.True(fixture.Keycloak.Server.Requests["GET /admin/realms/{realm}/users"] <= 7, "It read what had been read before.");
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task A_run_stopped_while_it_listed_users_outside_windows_resumes_with_the_list()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 55);
        fixture.Realm.AddUser(new EmulatedUser("no-date", "zoe"));
        using var stop = new CancellationTokenSource();
        var stopped = await ReconciliationFixture.RunAsync(fixture.Bridge, ReconciliationFixture.By(ReconcileMode.Windows), _ =>
        {
            if (
                fixture.Database.ScalarAsync<int>(
                    "select count(*)::int from reconcile_runs where phase <> '' and seen >= 20").GetAwaiter().GetResult() > 0)
                stop.Cancel();
        }, stop.Token);
        Assert.Equal(ReconcileStatus.Stopped, stopped.Status);
        await fixture.Database.ExecuteAsync("update reconcile_runs set status = 'running', ended_at = null");
        fixture.Keycloak.Server.Requests.Reset();

        var continued = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));

        Assert.Equal((ReconcileStatus.Done, stopped.RunId, 56L), (continued.Status, continued.RunId, continued.Counts.Seen));
        Assert.InRange(fixture.Keycloak.Server.Requests["GET /admin/realms/{realm}/users"], 1, 7);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task A_run_of_a_dead_process_is_resumed()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 55);
        using var stop = new CancellationTokenSource();
        var stopped = await ReconciliationFixture.RunAsync(
            fixture.Bridge, ReconciliationFixture.AllUsers, progress => StopAt(progress, 20, stop), stop.Token);
        await fixture.Database.ExecuteAsync("update reconcile_runs set status = 'running', ended_at = null");

        var continued = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal((ReconcileStatus.Done, stopped.RunId, 55), (continued.Status, continued.RunId, continued.Counts.Seen));
    }

    [Theory]
    [InlineData("update reconcile_runs set started_at = started_at - interval '25 hours'")]
    [InlineData("update reconcile_runs set since = '2026-01-01'")]
    [InlineData("update reconcile_runs set dry_run = true")]
    [InlineData("update reconcile_runs set re_evaluate = true")]
    public async Task A_run_of_another_day_or_request_is_not_resumed(string change)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 25);
        using var stop = new CancellationTokenSource();
        var stopped = await ReconciliationFixture.RunAsync(
            fixture.Bridge, ReconciliationFixture.AllUsers, progress => StopAt(progress, 10, stop), stop.Token);
        await fixture.Database.ExecuteAsync(change);

        var next = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.NotEqual(stopped.RunId, next.RunId);
        Assert.Equal((25, 15), (next.Counts.Seen, next.Counts.Provisioned));
    }

    [Fact]
    public async Task A_run_whose_position_was_deleted_meanwhile_finds_every_user_all_the_same()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 45);
        var users = await fixture.UserIdsAsync();
        using var stop = new CancellationTokenSource();
        await ReconciliationFixture.RunAsync(
            fixture.Bridge, ReconciliationFixture.AllUsers, progress => StopAt(progress, 30, stop), stop.Token);
        foreach (var user in users[..31])
            fixture.Realm.RemoveUser(user);

        List<double> rates = [];
        var continued = await fixture.RunAsync(ReconciliationFixture.AllUsers, progress => rates.Add(progress.PerSecond));

        Assert.All(rates, rate => Assert.True(rate >= 0, $"{rate} users a second"));
        Assert.Equal((ReconcileStatus.Done, 14, 45), (continued.Status, continued.Counts.Seen, continued.Counts.Provisioned));
        Assert.Equal(users.Order(StringComparer.Ordinal), await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_run_that_another_process_has_taken_over_ends_and_leaves_it_alone()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 35);

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers, progress =>
        {
            if (progress.Counts.Seen == 10)
                fixture.Database.ExecuteAsync("update reconcile_runs set owner = 'another'").GetAwaiter().GetResult();
        });

        Assert.Equal(ReconcileStatus.Failed, outcome.Status);
        Assert.Equal("running", await fixture.StatusOfLatestRunAsync());
    }

    [Fact]
    public async Task A_role_that_is_missing_is_named()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, ("Keycloak:ClientId", "query-only"));

        var outcome = await RunInOther(bridge, ReconciliationFixture.AllUsers);

        Assert.Equal(ReconcileStatus.Failed, outcome.Status);
        Assert.Contains("view-users", outcome.Reason, StringComparison.Ordinal);
    }

    private static void StopAt(ReconcileProgress progress, int seen, CancellationTokenSource stop)
    {
        if (progress.Counts.Seen >= seen)
            stop.Cancel();
    }

    private static Task<ReconcileOutcome> RunInOther(BridgeFixture bridge, RunRequest request) =>
        ReconciliationFixture.RunAsync(bridge, request, null, TestContext.Current.CancellationToken);
}
