using Dapper;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Reconciliation.Schedule;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Runs;

/// <summary>What is left of runs that were interrupted: their work, their counts and their time.</summary>
public sealed class InterruptedRunTests(PostgresFixture postgres)
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_that_is_asked_for_while_its_replica_stops_is_left_for_the_next()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        await using var bridge = await BridgeFixture.Build(
            fixture.Database, fixture.Keycloak, ("Reconciliation:Enabled", "true")).StartAsync();
        var scheduler = await bridge.Services.GetRequiredService<QuartzHost>().WaitAsync(Token);
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var held = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("lock table reconcile_runs in access exclusive mode");
        await ReconciliationSchedule.RunOnceAsync(scheduler, EmulatorFixture.Realm, RunTriggers.Asked, Token);
        await Eventually.TrueAsync(() => fixture.Database.WaitsAsync("delete from reconcile_runs"), "the run is about to begin");

        var stopping = bridge.StopAsync();
        await Eventually.TrueAsync(() => fixture.Database.WaitsAsync("insert into reconcile_runs"), "the run is put on record");
        await held.RollbackAsync(Token);
        await stopping;

        Assert.Equal(["asked"], await fixture.Database.QueryAsync<string>("select trigger from reconcile_runs where status = 'waiting'"));
        Assert.DoesNotContain(bridge.Log.All, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_interrupted_list_is_throttled_by_the_time_that_it_read()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5, ServerModel.V26_2);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        await fixture.Database.ExecuteAsync(
            "update reconcile_runs set started_at = now() - interval '5 hours', ended_at = now() - interval '1 minute', per_second = 1");

        Assert.Null(await fixture.Bridge.Services.GetRequiredService<ListThrottle>().UntilAsync(EmulatorFixture.Realm, Token));
    }

    [Fact]
    public async Task A_run_that_starts_over_counts_anew_and_keeps_what_it_opened()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 2);
        var store = fixture.Bridge.Services.GetRequiredService<RequestedRunStore>();
        var enqueued = await store.EnqueueAsync(
            new RunRequest(EmulatorFixture.Realm, RunTriggers.Http, UserIds: await fixture.UserIdsAsync()), Now, Token);
        using var stop = new CancellationTokenSource();
        var stopped = await ReconciliationFixture.RunAsync(fixture.Bridge, await FindAsync(), _ => stop.Cancel(), stop.Token);
        Assert.Equal((ReconcileStatus.Stopped, 1L), (stopped.Status, stopped.Counts.Seen));
        await store.RequeueInterruptedAsync([EmulatorFixture.Realm], Now, Now.AddDays(-100), Now, Token);

        var done = await fixture.RunAsync(await FindAsync());

        Assert.Equal(new ReconcileCounts(Seen: 2, Missing: 2, Provisioned: 2), done.Counts);

        async Task<RunRequest> FindAsync() => (await store.FindWaitingAsync(RequestedRunStore.TriggerName(enqueued), Token))!;
    }
}
