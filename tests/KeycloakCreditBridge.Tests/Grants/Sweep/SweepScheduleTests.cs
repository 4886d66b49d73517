using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Grants.Sweep;

/// <summary>Where no credits have an end nothing is scheduled; the first end is enough.</summary>
public sealed class SweepScheduleTests(PostgresFixture postgres)
{
    private const string TriggersSql = "select count(*)::int from quartz.qrtz_triggers where trigger_group = 'grants'";

    private const string BookedSql = "select count(*)::int from credit_transactions where grant_key = 'expire:promo'";

    private const string GiveSql =
        """
        with account as (
            insert into user_credits (user_id, credits_remaining, credits_allocated, tier, created_at, updated_at, next_expiry)
            values (@Id, 5, 5, 'trial', @At, @At, @At)),
        entry as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, grant_key, created_at)
            values (@Id, 5, 5, 'bonus', 'promo', @At))
        insert into credit_grants (user_id, grant_key, amount, granted_at, expires_at) values (@Id, 'promo', 5, @At, @At)
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_end_has_the_sweep_scheduled_and_the_last_one_ends_it()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var clock = new ManualTimeProvider();
        await using var bridge = await BridgeFixture.Build(
            BridgeFixture.Settings(database.ConnectionString, new Uri($"http://127.0.0.1:{FreePort.Next()}")), clock,
            ("Reconciliation:Enabled", "true"), ("Grants:SweepEvery", "00:00:01")).StartAsync();
        await bridge.Services.GetRequiredService<QuartzHost>().WaitAsync(Token);
        Assert.Equal(0, await database.ScalarAsync<int>(TriggersSql));

        await database.ExecuteAsync(GiveSql, new { Id = "ana", At = clock.GetUtcNow().UtcDateTime.AddDays(-1) });
        await ReadAgainUntilAsync(BookedSql, 1, "the end is booked");
        await ReadAgainUntilAsync(TriggersSql, 0, "nothing is scheduled where nothing has an end");

        await database.ExecuteAsync(GiveSql, new { Id = "zoe", At = clock.GetUtcNow().UtcDateTime.AddDays(900) });
        await ReadAgainUntilAsync(TriggersSql, 1, "an end to come is enough");
        // Under Quartz' own lock, as its rows are read and written by the bridge meanwhile.
        await database.ExecuteAsync(
            """
            select from quartz.qrtz_locks where lock_name = 'TRIGGER_ACCESS' for update;
            delete from quartz.qrtz_simple_triggers;
            delete from quartz.qrtz_triggers where trigger_group = 'grants'
            """);
        await database.ExecuteAsync(GiveSql, new { Id = "ben", At = clock.GetUtcNow().UtcDateTime.AddDays(-1) });
        await ReadAgainUntilAsync(BookedSql, 2, "a schedule that was taken away is stored again");

        Task ReadAgainUntilAsync(string sql, int expected, string what) => Eventually.TrueAsync(
            async () =>
            {
                clock.Advance(TimeSpan.FromSeconds(31));
                return await database.ScalarAsync<int>(sql) == expected;
            },
            what);
    }
}
