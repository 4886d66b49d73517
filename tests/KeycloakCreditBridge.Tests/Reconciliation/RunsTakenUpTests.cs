using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Requests;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>Which runs are taken up again, which are ended, and from where they go on.</summary>
public sealed class RunsTakenUpTests(PostgresServer postgres)
{
    // No schedule begins any meanwhile.
    private static readonly (string Key, string? Value)[] Settings =
        [("Reconciliation:Enabled", "true"), ("Reconciliation:Cron", "0 0 5 1 1 ?"), ("Reconciliation:CompleteCron", "0 0 5 1 1 ?")];

    private static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_of_the_schedule_that_waits_goes_on_however_long_the_last_list_took()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 5, ServerModel.V26_2);
        await bundle.RunAsync(ReconcileBundle.Everybody);
        await bundle.Database.ExecuteAsync("update reconcile_runs set started_at = now() - interval '1 hour', ended_at = now(), per_second = null");
        var run = await AnnounceAsync(bundle, ReconcileTriggers.Schedule);

        await using var bridge = await BridgeHost.Build(bundle.Database, bundle.Keycloak, Settings).StartAsync();

        await Eventually.TrueAsync(
            () => bundle.Database.ScalarAsync<bool>("select status = 'done' from reconcile_runs where id = @run", new { run }), "the run is done");
        await bridge.StopAsync();
    }

    [Fact]
    public async Task A_first_run_that_waits_while_another_reads_the_realm_ends_with_the_reason()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 5);
        await bundle.RunAsync(ReconcileBundle.Everybody);
        var run = await AnnounceAsync(bundle, ReconcileTriggers.First);

        await using var bridge = await BridgeHost.Build(bundle.Database, bundle.Keycloak, Settings).StartAsync();

        await Eventually.TrueAsync(
            () => bundle.Database.ScalarAsync<bool>(
                "select status = 'cancelled' and error <> '' and ended_at is not null from reconcile_runs where id = @run", new { run }),
            "the run is ended");
        await bridge.StopAsync();
    }

    [Fact]
    public async Task Of_runs_that_failed_only_the_latest_of_a_trigger_is_tried_again_and_none_that_the_schedule_repeats()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres);
        await bundle.Database.ExecuteAsync(
            """
            insert into reconcile_runs (realm, mode, trigger, status, dry_run, rejudge, owner, started_at, updated_at)
            select @Realm, 'auto', r.trigger, 'failed', false, false, '', @Now - r.ago, @Now - r.ago
            from (values ('asked', interval '3 hours'), ('daily', interval '2 hours'), ('asked', interval '1 hour'), ('schedule', interval '30 minutes')) r (trigger, ago)
            """,
            new { EmulatorDriver.Realm, Now });

        await AnnounceAgainAsync(bundle);

        Assert.Equal(
            ["2 daily", "3 asked"], await bundle.Database.QueryAsync<string>("select id || ' ' || trigger from reconcile_runs where status = 'waiting' order by id"));
    }

    [Fact]
    public async Task A_run_that_begins_again_is_as_old_as_when_it_began_first()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 5);
        bundle.Keycloak.Server.Misbehaviour.Fail($"/{EmulatorDriver.Users}*", int.MaxValue, 400);
        var failed = await bundle.RunAsync(new ReconcileRequest(EmulatorDriver.Realm, ReconcileTriggers.Daily));
        Assert.Equal(ReconcileStatus.Failed, failed.Status);
        await bundle.Database.ExecuteAsync("update reconcile_runs set started_at = @At, updated_at = @At", new { At = Now - TimeSpan.FromHours(2) });
        await AnnounceAgainAsync(bundle);
        bundle.Keycloak.Server.Misbehaviour.Reset();

        var done = await bundle.RunAsync(new ReconcileRequest(EmulatorDriver.Realm, ReconcileTriggers.Daily, WaitingRun: failed.RunId));

        Assert.Equal((failed.RunId, ReconcileStatus.Done), (done.RunId, done.Status));
        Assert.Equal(1, await bundle.Database.ScalarAsync<int>("select count(*)::int from reconcile_runs where started_at = @At", new { At = Now - TimeSpan.FromHours(2) }));
    }

    [Fact]
    public async Task What_was_lost_in_a_part_that_an_interrupted_run_had_read_is_found_by_the_run_that_is_asked_for_then()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 30);
        using var stop = new CancellationTokenSource();
        var stopped = await ReconcileBundle.RunAsync(bundle.Bridge, ReconcileBundle.Everybody, progress =>
        {
            if (progress.Counts.Seen >= 10)
                stop.Cancel();
        }, stop.Token);
        Assert.Equal(ReconcileStatus.Stopped, stopped.Status);
        bundle.Realm.AddUser(new EmulatedUser("lost", "0-before-all"));

        var asked = await bundle.RunAsync(ReconcileBundle.Everybody with { Trigger = ReconcileTriggers.Asked });

        Assert.Equal(ReconcileStatus.Done, asked.Status);
        Assert.NotEqual(stopped.RunId, asked.RunId);
        await bundle.AssertEverybodyHasAnAccountAsync();
    }

    private static Task AnnounceAgainAsync(ReconcileBundle bundle) => bundle.Bridge.Services.GetRequiredService<RequestedRunStore>().AnnounceAgainAsync(
        [EmulatorDriver.Realm], Now, Now - Reconciler.ContinuedFor, Now - TimeSpan.FromMinutes(5), Token);

    private static Task<long> AnnounceAsync(ReconcileBundle bundle, string trigger) => bundle.Bridge.Services.GetRequiredService<RequestedRunStore>().AnnounceAsync(
        new ReconcileRequest(EmulatorDriver.Realm, trigger, Mode: ReconcileMode.List), TimeProvider.System.GetUtcNow(), Token);
}
