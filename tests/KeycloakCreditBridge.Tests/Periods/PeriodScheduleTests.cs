using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Periods;

public sealed class PeriodScheduleTests(PostgresFixture postgres)
{
    private static readonly (string, string?) Enabled = ("Periods:Enabled", "true");
    private static readonly (string, string?) EverySecond = ("Periods:Cron", "* * * * * ?");

    [Fact]
    public async Task Two_replicas_renew_by_one_schedule_and_reconciliation_leaves_it_alone()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 3);
        await using var one = await StartAsync(fixture, Enabled, EverySecond);
        await using var two = await StartAsync(fixture, Enabled, EverySecond);
        await Eventually.TrueAsync(async () => (await fixture.AccountsAsync()).Length == 3, "every user has an account");
        await fixture.Database.ExecuteAsync(
            "update user_credits set created_at = now() - interval '31 days', last_reset = now() - interval '1 day'");
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select count(*) = 3 from credit_transactions where grant_key like 'reset:%'"),
            "every account is renewed");
        Assert.Equal(1, await StoredAsync(fixture));
        await Task.WhenAll(one.StopAsync(), two.StopAsync());
        Assert.DoesNotContain(one.Log.All.Concat(two.Log.All), line => line.StartsWith("Error", StringComparison.Ordinal));
        Assert.Equal(3, await fixture.Database.ScalarAsync<int>(
            "select count(*)::int from credit_transactions where grant_key like 'reset:%'"));
    }

    [Fact]
    public async Task A_replica_that_renews_no_periods_leaves_their_schedule_to_others_and_never_fires_it()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        await using (var on = await StartAsync(fixture, Enabled, ("Periods:Cron", BridgeFixture.Never)))
        {
            await Eventually.TrueAsync(async () => await StoredAsync(fixture) == 1, "the schedule is stored");
            await on.StopAsync();
        }

        await fixture.Database.ExecuteAsync("update quartz.qrtz_triggers set next_fire_time = 1 where trigger_group = 'periods'");
        await using var off = await StartAsync(fixture, ("Reconciliation:Cron", "* * * * * ?"));
        await Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<int>(
                "select count(*)::int from reconcile_runs where trigger = 'schedule' and status = 'done'") >= 3,
            "it fires what is its own");
        Assert.Equal(
            1, await fixture.Database.ScalarAsync<int>(
                "select count(*)::int from quartz.qrtz_triggers where trigger_group = 'periods' and next_fire_time = 1"));
        await off.StopAsync();
    }

    [Theory]
    [InlineData("Periods:Cron", "often", "Periods:Cron is 'often', which is not a schedule")]
    [InlineData("Periods:MaxRollover", "-1", "Periods:MaxRollover is -1: choose 0 to")]
    [InlineData("Periods:MaxRollover", "3",
        "Periods:Rollover is false, so that MaxRollover and MaxRolloverByTier have no effect: set Rollover")]
    [InlineData("Periods:MaxRolloverByTier:trial", "0.0000001", "Periods:MaxRolloverByTier:trial is 0.0000001: choose")]
    [InlineData("Provisioning:Period", "12:00:00",
        "Periods:Enabled is true with Provisioning:Period at 12:00:00: choose a period of a day at least")]
    public void A_wrong_setting_is_named_with_key_and_cure(string key, string value, string problem)
    {
        using var services = Program.Compose(["--Periods:Enabled=true", $"--{key}={value}"]).Services.BuildServiceProvider();
        Assert.Contains(ConfigurationCheck.Problems(services), said => said.StartsWith(problem, StringComparison.Ordinal));
    }

    private static Task<int> StoredAsync(ReconciliationFixture fixture) =>
        fixture.Database.ScalarAsync<int>("select count(*)::int from quartz.qrtz_triggers where trigger_group = 'periods'");

    private static async Task<BridgeFixture> StartAsync(ReconciliationFixture fixture, params (string, string?)[] settings)
    {
        var bridge = await BridgeFixture.Build(fixture.Database, fixture.Keycloak,
            [("Reconciliation:Enabled", "true"), .. settings]).StartAsync();
        await bridge.Services.GetRequiredService<QuartzHost>().WaitAsync(TestContext.Current.CancellationToken);
        return bridge;
    }
}
