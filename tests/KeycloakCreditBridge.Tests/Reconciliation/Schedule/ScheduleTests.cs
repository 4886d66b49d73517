using Dapper;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Schedule;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Quartz;

namespace KeycloakCreditBridge.Tests.Reconciliation.Schedule;

public sealed class ScheduleTests(PostgresFixture postgres)
{
    private static readonly (string, string?) Enabled = ("Reconciliation:Enabled", "true");
    private static readonly (string, string?) EverySecond = ("Reconciliation:Cron", "* * * * * ?");

    [Fact]
    public async Task A_realm_that_was_never_reconciled_is_reconciled_at_once_and_only_once()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await using (var first = await StartAsync(fixture, Enabled))
        {
            await RunsAsync(fixture, "trigger = 'first' and status = 'done'", 1);
            await first.StopAsync();
        }

        await using var second = await StartAsync(fixture, Enabled);
        await second.StopAsync();

        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from reconcile_runs where trigger = 'first'"));
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task Replicas_that_start_together_run_the_first_scan_once()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 25);
        var bridges = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => StartAsync(fixture, Enabled)));

        await RunsAsync(fixture, "trigger = 'first' and status = 'done'", 1);
        // As one does that had looked before the realm was read.
        var scheduler = await bridges[0].Services.GetRequiredService<QuartzHost>().WaitAsync(TestContext.Current.CancellationToken);
        await ReconciliationSchedule.RunOnceAsync(
            scheduler, EmulatorFixture.Realm, RunTriggers.First, TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select count(*) = 0 from quartz.qrtz_triggers where trigger_group = 'first'"),
            "it was answered");
        await Task.WhenAll(bridges.Select(bridge => bridge.StopAsync()));

        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from reconcile_runs"));
        await fixture.AssertAllUsersHaveAccountsAsync();
        foreach (var bridge in bridges)
            await bridge.DisposeAsync();
    }

    [Theory]
    [InlineData(RunTriggers.First)]
    [InlineData(RunTriggers.Schedule)]
    public async Task A_host_that_ends_before_a_run_has_begun_logs_no_error(string trigger)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5, ServerModel.V26_2);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        await using var bridge = await StartAsync(fixture, Enabled);
        var scheduler = await bridge.Services.GetRequiredService<QuartzHost>().WaitAsync(TestContext.Current.CancellationToken);
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var held = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("lock table reconcile_runs in access exclusive mode");

        await scheduler.ScheduleTrigger(
            TriggerBuilder.Create().WithIdentity("now", trigger).ForJob(ReconcileJob.KeyOf(EmulatorFixture.Realm)).StartNow().Build(),
            TriggerConflict.Keep, TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(
            () => fixture.Database.WaitsAsync("status = 'done'"), "it asks whether there is anything to do");
        await bridge.StopAsync();

        Assert.DoesNotContain(bridge.Log.All, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_slow_list_is_throttled_to_a_tenth_of_the_time()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5, ServerModel.V26_2);
        Assert.Equal(ReconcileStatus.Done, (await fixture.RunAsync(ReconciliationFixture.AllUsers)).Status);
        await SetTimesAsync("now() - interval '1 hour'", "now()");
        await using var bridge = await StartAsync(fixture, Enabled, EverySecond);

        await Eventually.TrueAsync(() => bridge.Log.Says(" 516 "), "the realm is left alone");
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from reconcile_runs where trigger = 'schedule'"));

        await SetTimesAsync("now() - interval '11 hours'", "now() - interval '10 hours'");
        await RunsAsync(fixture, "trigger = 'schedule' and mode = 'list' and status = 'done'", 1);
        await bridge.StopAsync();

        Task<int> SetTimesAsync(string started, string ended) =>
            fixture.Database.ExecuteAsync($"update reconcile_runs set started_at = {started}, ended_at = {ended}, per_second = null");
    }

    [Fact]
    public async Task A_missed_user_is_found_by_schedule()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await using var bridge = await StartAsync(fixture, Enabled, EverySecond);
        await RunsAsync(fixture, "status = 'done'", 1);

        fixture.Realm.AddUser(new EmulatedUser("missed", "missed"));

        await Eventually.TrueAsync(async () => (await fixture.AccountsAsync()).Contains("missed"), "the missed user has an account");
        await bridge.StopAsync();
        await RunsAsync(fixture, "trigger = 'schedule' and provisioned = 1", 1);
    }

    [Fact]
    public async Task Two_replicas_share_one_schedule()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 25);
        await using var one = await StartAsync(fixture, Enabled, EverySecond);
        await using var two = await StartAsync(fixture, Enabled, EverySecond);

        await RunsAsync(fixture, "trigger = 'schedule' and status = 'done'", 4);
        await Task.WhenAll(one.StopAsync(), two.StopAsync());

        Assert.DoesNotContain(one.Log.All.Concat(two.Log.All), line => line.StartsWith("Error", StringComparison.Ordinal));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>(
            "select count(*)::int from reconcile_runs a join reconcile_runs b on a.id < b.id and a.ended_at > b.started_at"));
    }

    [Fact]
    public async Task A_schedule_that_was_changed_replaces_the_stored_one_and_leaves_other_realms_theirs()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        await fixture.Keycloak.ImportAsync("second", []);
        await using (
            var before = await StartAsync(fixture, Enabled, ("Keycloak:Realms:1:Name", "second"), ("Reconciliation:Cron", "0 0 3 * * ?")))
            await before.StopAsync();
        Assert.Equal(
            [
                $"demo daily {BridgeFixture.Never}", "demo schedule 0 0 3 * * ?",
                $"second daily {BridgeFixture.Never}", "second schedule 0 0 3 * * ?",
            ],
            await StoredAsync(fixture));

        await using (
            var after = await StartAsync(fixture, Enabled, ("Reconciliation:Cron", "0 0 4 * * ?"), ("Reconciliation:Misfire", "FireOnce")))
            await after.StopAsync();

        Assert.Equal(
            [
                $"demo daily {BridgeFixture.Never}", "demo schedule 0 0 4 * * ?",
                $"second daily {BridgeFixture.Never}", "second schedule 0 0 3 * * ?",
            ],
            await StoredAsync(fixture));
    }

    [Fact]
    public async Task A_realm_whose_events_may_be_lost_is_reconciled_at_once()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await using var bridge = await StartAsync(fixture, Enabled);
        await RunsAsync(fixture, "trigger = 'first' and status = 'done'", 1);
        fixture.Realm.AddUser(new EmulatedUser("missed", "missed"));

        bridge.Services.GetRequiredService<LostEventsSignal>().Raise(EmulatorFixture.Realm, "its events were wiped");

        await RunsAsync(fixture, "trigger = 'asked' and provisioned = 1 and status = 'done'", 1);
        await bridge.StopAsync();
    }

    [Fact]
    public async Task Events_lost_during_a_requested_run_are_found_by_one_more_run()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await using var bridge = await StartAsync(fixture, Enabled);
        await RunsAsync(fixture, "trigger = 'first' and status = 'done'", 1);
        var requests = bridge.Services.GetRequiredService<LostEventsSignal>();
        await using (var connection = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken))
        {
            await using var held = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await connection.ExecuteAsync("lock table keycloak_users in access exclusive mode");
            requests.Raise(EmulatorFixture.Realm, "its events were wiped");
            await Eventually.TrueAsync(() => fixture.Database.WaitsAsync("keycloak_users"), "the run waits for the table");

            fixture.Realm.AddUser(new EmulatedUser("missed", "missed"));
            foreach (var reason in (string[])["wiped again", "and again"])
                requests.Raise(EmulatorFixture.Realm, reason);
            await EventuallyOneAsync("from quartz.qrtz_triggers where trigger_group = 'asked' and trigger_name <> 'demo'");
            await held.RollbackAsync(TestContext.Current.CancellationToken);
        }

        await RunsAsync(fixture, "trigger = 'asked' and provisioned = 1 and status = 'done'", 1);
        await bridge.StopAsync();

        Task EventuallyOneAsync(string from) => Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<int>($"select count(*)::int {from}") == 1, from);
    }

    [Fact]
    public async Task A_host_that_ends_during_a_run_stops_it()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 95);
        fixture.Keycloak.Server.Faults.Delay($"/{EmulatorFixture.Users}", 6, TimeSpan.FromMilliseconds(100));
        fixture.Keycloak.Server.Faults.Hang($"/{EmulatorFixture.Users}", 1000);
        await using var bridge = await StartAsync(fixture, Enabled);
        await RunsAsync(fixture, "status = 'running' and seen > 0", 1);

        await bridge.StopAsync();

        Assert.Equal("stopped", await fixture.StatusOfLatestRunAsync());
    }

    private static async Task<BridgeFixture> StartAsync(ReconciliationFixture fixture, params (string, string?)[] settings)
    {
        var bridge = await BridgeFixture.Build(fixture.Database, fixture.Keycloak, settings).StartAsync();
        await bridge.Services.GetRequiredService<QuartzHost>().WaitAsync(TestContext.Current.CancellationToken);
        return bridge;
    }

    private static Task RunsAsync(ReconciliationFixture fixture, string condition, int atLeast) => Eventually.TrueAsync(
        async () => await fixture.Database.ScalarAsync<int>($"select count(*)::int from reconcile_runs where {condition}") >= atLeast,
        $"{atLeast} runs are {condition}");

    private static Task<IReadOnlyList<string>> StoredAsync(ReconciliationFixture fixture) => fixture.Database.QueryAsync<string>(
        """
        select trigger_name || ' ' || trigger_group || ' ' || cron_expression
        from quartz.qrtz_cron_triggers join quartz.qrtz_triggers using (sched_name, trigger_name, trigger_group)
        where job_group = 'reconcile' order by 1
        """);
}
