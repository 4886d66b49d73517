using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Requests;

/// <summary>Which runs are taken up again, which are ended, and from where they go on.</summary>
public sealed class WaitingRunTests(PostgresFixture postgres)
{
    // No schedule begins any meanwhile.
    private static readonly (string Key, string? Value)[] Settings =
        [("Reconciliation:Enabled", "true"), ("Reconciliation:Cron", "0 0 5 1 1 ?"), ("Reconciliation:CompleteCron", "0 0 5 1 1 ?")];

    private static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_waiting_run_of_the_schedule_is_not_throttled()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5, ServerModel.V26_2);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        await fixture.Database.ExecuteAsync(
            "update reconcile_runs set started_at = now() - interval '1 hour', ended_at = now(), per_second = null");
        var run = await EnqueueAsync(fixture, RunTriggers.Schedule);

        await using var bridge = await BridgeFixture.Build(fixture.Database, fixture.Keycloak, Settings).StartAsync();

        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select status = 'done' from reconcile_runs where id = @run", new { run }),
            "the run is done");
        await bridge.StopAsync();
    }

    [Fact]
    public async Task A_waiting_first_run_ends_with_a_reason_once_another_run_read_the_realm()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        var run = await EnqueueAsync(fixture, RunTriggers.First);

        await using var bridge = await BridgeFixture.Build(fixture.Database, fixture.Keycloak, Settings).StartAsync();

        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(
                "select status = 'cancelled' and error <> '' and ended_at is not null from reconcile_runs where id = @run", new { run }),
            "the run is ended");
        await bridge.StopAsync();
    }

    [Fact]
    public async Task Of_failed_runs_only_the_latest_of_a_trigger_is_retried_and_none_of_the_schedule()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(
            """
            insert into reconcile_runs (realm, mode, trigger, status, dry_run, re_evaluate, owner, started_at, updated_at)
            select @Realm, 'auto', r.trigger, 'failed', false, false, '', @Now - r.ago, @Now - r.ago
            from (values ('asked', interval '3 hours'), ('daily', interval '2 hours'), ('asked', interval '1 hour'),
                ('schedule', interval '30 minutes')) r (trigger, ago)
            """,
            new { EmulatorFixture.Realm, Now });

        await RequeueInterruptedAsync(fixture);

        Assert.Equal(
            ["2 daily", "3 asked"],
            await fixture.Database.QueryAsync<string>(
                "select id || ' ' || trigger from reconcile_runs where status = 'waiting' order by id"));
    }

    [Fact]
    public async Task A_run_that_begins_again_is_as_old_as_when_it_began_first()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        fixture.Keycloak.Server.Faults.Fail($"/{EmulatorFixture.Users}*", int.MaxValue, 400);
        var failed = await fixture.RunAsync(new RunRequest(EmulatorFixture.Realm, RunTriggers.Daily));
        Assert.Equal(ReconcileStatus.Failed, failed.Status);
        await fixture.Database.ExecuteAsync(
            "update reconcile_runs set started_at = @At, updated_at = @At", new { At = Now - TimeSpan.FromHours(2) });
        await RequeueInterruptedAsync(fixture);
        fixture.Keycloak.Server.Faults.Reset();

        var done = await fixture.RunAsync(new RunRequest(EmulatorFixture.Realm, RunTriggers.Daily, WaitingRun: failed.RunId));

        Assert.Equal((failed.RunId, ReconcileStatus.Done), (done.RunId, done.Status));
        Assert.Equal(
            1,
            await fixture.Database.ScalarAsync<int>(
                "select count(*)::int from reconcile_runs where started_at = @At", new { At = Now - TimeSpan.FromHours(2) }));
    }

    [Fact]
    public async Task A_run_for_lost_events_reads_again_what_an_interrupted_run_had_read()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 30);
        using var stop = new CancellationTokenSource();
        var stopped = await ReconciliationFixture.RunAsync(fixture.Bridge, ReconciliationFixture.AllUsers, progress =>
        {
            if (progress.Counts.Seen >= 10)
                stop.Cancel();
        }, stop.Token);
        Assert.Equal(ReconcileStatus.Stopped, stopped.Status);
        fixture.Realm.AddUser(new EmulatedUser("lost", "0-before-all"));

        var asked = await fixture.RunAsync(ReconciliationFixture.AllUsers with { Trigger = RunTriggers.Asked });

        Assert.Equal(ReconcileStatus.Done, asked.Status);
        Assert.NotEqual(stopped.RunId, asked.RunId);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    private static Task RequeueInterruptedAsync(ReconciliationFixture fixture) =>
        fixture.Bridge.Services.GetRequiredService<RequestedRunStore>().RequeueInterruptedAsync(
        [EmulatorFixture.Realm], Now, Now - Reconciler.ResumableFor, Now - TimeSpan.FromMinutes(5), Token);

    private static Task<long> EnqueueAsync(ReconciliationFixture fixture, string trigger) =>
        fixture.Bridge.Services.GetRequiredService<RequestedRunStore>().EnqueueAsync(
        new RunRequest(EmulatorFixture.Realm, trigger, Mode: ReconcileMode.List), TimeProvider.System.GetUtcNow(), Token);
}
