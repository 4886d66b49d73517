using System.Net;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Hosting.Schedule;

public sealed class SchedulerStartTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(
        "create table quartz.qrtz_triggers (trigger_name text)", "drop table quartz.qrtz_triggers",
        "quartz.qrtz_triggers belongs to another program or to another version of Quartz")]
    [InlineData(
        "create function refuse() returns event_trigger language plpgsql as $$ begin raise 'no privilege for this'; end $$; "
        + "create event trigger refuses on ddl_command_start execute function refuse()",
        "drop event trigger refuses", "no privilege for this")]
    public async Task A_schedule_that_could_not_start_says_why_and_starts_once_the_cause_is_removed(
        string fault, string cure, string reason)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await database.ExecuteAsync(fault);
        await using var bridge = await BridgeFixture.Build(database, keycloak, ("Reconciliation:Enabled", "true")).StartAsync();
        await Eventually.TrueAsync(() => bridge.Log.Says(" 721 "), "the schedule cannot be started");

        await Eventually.TrueAsync(
            async () => await ReadyAsync() is (HttpStatusCode.ServiceUnavailable, var why)
                && why.Contains(reason, StringComparison.Ordinal),
            "the bridge is not ready and says why");

        await database.ExecuteAsync(cure);
        await bridge.Services.GetRequiredService<QuartzHost>().WaitAsync(Token).WaitAsync(TimeSpan.FromSeconds(60), Token);

        await Eventually.TrueAsync(
            async () => await database.ScalarAsync<int>("select count(*)::int from reconcile_runs where status = 'done'") > 0,
            "the first run has ended");
        await Eventually.TrueAsync(
            async () => !(await ReadyAsync()).Text.Contains(reason, StringComparison.Ordinal), "the reason is told no more");
        await bridge.StopAsync();

        async Task<(HttpStatusCode Status, string Text)> ReadyAsync()
        {
            using var answer = await bridge.GetAsync("health/ready");
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Token));
        }
    }
}
