using System.Net;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Requests;

/// <summary>Runs that are asked for while the schedule cannot start.</summary>
public sealed class StoppedScheduleTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_run_that_is_asked_for_while_the_schedule_cannot_start_is_accepted_and_done_once_it_can()
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, "create table quartz.qrtz_triggers (trigger_name text)", ("Reconciliation:Enabled", "true"));
        await Eventually.TrueAsync(() => fixture.Bridge.Log.Says(" 721 "), "the schedule cannot be started");
        var admin = fixture.TokenOf("boss", CreditsFixture.Admin);

        var asked = await fixture.PostAsync("api/v1/admin/reconciliations", admin, []).WaitAsync(
            TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.Accepted, "waiting"), (asked.Status, (string?)asked.Json["status"]));
        await fixture.Database.ExecuteAsync("drop table quartz.qrtz_triggers");
        await Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<string>(
                "select status from reconcile_runs where id = @Id", new { Id = (long)asked.Json["id"]! }) == "done",
            "the run has ended", TimeSpan.FromMinutes(2));
    }
}
