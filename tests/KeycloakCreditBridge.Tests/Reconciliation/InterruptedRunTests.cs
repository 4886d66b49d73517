using Dapper;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Schedule;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>What is left of runs that were interrupted: their work, their counts and their time.</summary>
public sealed class InterruptedRunTests(PostgresServer postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_that_is_asked_for_while_its_replica_stops_is_left_for_the_next()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 5);
        await bundle.RunAsync(ReconcileBundle.Everybody);
        await using var bridge = await BridgeHost.Build(bundle.Database, bundle.Keycloak, ("Reconciliation:Enabled", "true")).StartAsync();
        var scheduler = await bridge.Services.GetRequiredService<QuartzStarter>().WaitAsync(Token);
        await using var connection = await bundle.Database.DataSource.OpenConnectionAsync(Token);
        await using var held = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("lock table reconcile_runs in access exclusive mode");
        await ReconciliationSchedule.RunOnceAsync(scheduler, EmulatorDriver.Realm, ReconcileTriggers.Asked, Token);
        await Eventually.TrueAsync(() => bundle.Database.WaitsAsync("delete from reconcile_runs"), "the run is about to begin");

        var stopping = bridge.StopAsync();
        await Eventually.TrueAsync(() => bundle.Database.WaitsAsync("insert into reconcile_runs"), "the run is put on record");
        await held.RollbackAsync(Token);
        await stopping;

        Assert.Equal(["asked"], await bundle.Database.QueryAsync<string>("select trigger from reconcile_runs where status = 'waiting'"));
        Assert.DoesNotContain(bridge.Log.All, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_list_that_was_interrupted_rests_for_the_time_that_it_read()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 5, ServerModel.V26_2);
        await bundle.RunAsync(ReconcileBundle.Everybody);
        await bundle.Database.ExecuteAsync(
            "update reconcile_runs set started_at = now() - interval '5 hours', ended_at = now() - interval '1 minute', per_second = 1");
        var request = new ReconcileRequest(EmulatorDriver.Realm, ReconcileTriggers.Schedule, Mode: ReconcileMode.Quick);

        Assert.Null(await bundle.Bridge.Services.GetRequiredService<ListRest>().UntilAsync(request, Token));
    }
}
