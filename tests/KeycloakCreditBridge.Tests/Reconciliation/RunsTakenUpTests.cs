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

    [Fact]
    public async Task A_run_of_the_schedule_that_waits_goes_on_however_long_the_last_list_took()
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 5, ServerModel.V26_2);
        await bundle.RunAsync(ReconcileBundle.Everybody);
        await bundle.Database.ExecuteAsync("update reconcile_runs set started_at = now() - interval '1 hour', ended_at = now()");
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

    private static Task<long> AnnounceAsync(ReconcileBundle bundle, string trigger) => bundle.Bridge.Services.GetRequiredService<RequestedRunStore>().AnnounceAsync(
        new ReconcileRequest(EmulatorDriver.Realm, trigger, Mode: ReconcileMode.List), TimeProvider.System.GetUtcNow(), TestContext.Current.CancellationToken);
}
