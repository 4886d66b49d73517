using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Hosting.Schedule;

/// <summary>The end of a program whose schedule cannot be shut down.</summary>
[StartsPrograms]
public sealed class AbandonedScheduleTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_that_waits_for_PostgreSQL_does_not_keep_a_stopped_program_alive()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        fixture.Keycloak.Realm(FaultFixture.Realm).AddUsers(100);
        fixture.Keycloak.Faults.Delay("/admin/realms/demo/users", 1000, TimeSpan.FromMilliseconds(500));
        // The statement waits far longer than the test.
        var patient = new NpgsqlConnectionStringBuilder(fixture.Database.ConnectionString) { CommandTimeout = 600 };
        await using var bridge = await BridgeProcess.StartAsync(
            fixture.BridgeUrl, new Dictionary<string, string>(fixture.HintsOnly, StringComparer.Ordinal)
            {
                ["Storage:ConnectionString"] = patient.ConnectionString,
                ["Reconciliation:Enabled"] = "true",
                ["Reconciliation:WindowUsers"] = "10",
            });
        await Eventually.TrueAsync(
            async () => await fixture.CountAsync("reconcile_runs where status = 'running' and seen > 0") == 1,
            "the first run is under way");
        await using var blocker = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await blocker.BeginTransactionAsync(Token);
        await using (var command = new NpgsqlCommand("lock table reconcile_runs in share row exclusive mode", blocker))
            await command.ExecuteNonQueryAsync(Token);
        await Eventually.TrueAsync(
            async () => await fixture.Database.WaitingAsync("update reconcile_runs") > 0, "the run waits to save its position");

        Assert.True(await bridge.TerminateAsync(TimeSpan.FromMinutes(2)), "It ends although the run still waits.");
        Assert.Contains("The scheduler was abandoned", bridge.Log, StringComparison.Ordinal);
    }
}
