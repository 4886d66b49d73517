using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Grants;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>The real executable is killed while it sweeps ended credits.</summary>
[StartsPrograms]
public sealed class SweepKillTests(PostgresFixture postgres)
{
    private const int Accounts = 1_500;

    private const string DueSql =
        """
        with accounts as (
            insert into user_credits (user_id, credits_remaining, credits_allocated, tier, created_at, updated_at, next_expiry)
            select 'user-' || n, 5, 5, 'trial', now() - interval '40 days', now() - interval '40 days', now() - interval '10 days'
            from generate_series(1, @Accounts) n
            returning user_id),
        entries as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, grant_key, created_at)
            select user_id, 5, 5, 'bonus', 'trial', now() - interval '40 days' from accounts)
        insert into credit_grants (user_id, grant_key, amount, granted_at, expires_at)
        select user_id, 'trial', 5, now() - interval '40 days', now() - interval '10 days' from accounts;
        -- Every second account needs a replay.
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at)
        select 'user-' || n, 0, 5, 'adjustment', now() - interval '39 days' from generate_series(2, @Accounts, 2) n
        """;

    [Theory]
    [InlineData("due", 0)]
    [InlineData("simple", 0)]
    [InlineData("checkpoints", 0)]
    [InlineData("stamps", 0)]
    [InlineData("rows", 0)]
    [InlineData("lots", 0)]
    [InlineData("due:2", 1_000)]
    [InlineData("lots:2", 1_000)]
    public async Task A_killed_sweep_leaves_each_account_done_or_not_and_the_next_one_does_the_rest(string step, int done)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(DueSql, new { Accounts });

        var settings = BridgeFixture.Settings(database.ConnectionString, new Uri("http://127.0.0.1:9/"))
            .ToDictionary(setting => setting.Key, setting => setting.Value ?? "", StringComparer.OrdinalIgnoreCase);
        (settings["Reconciliation:Enabled"], settings["Grants:SweepEvery"]) = ("true", "00:00:01");
        KillPoint.Plant(settings, step);
        await using (var killed = BridgeProcess.Launch(FaultFixture.NewUrl(), settings))
        {
            await Eventually.TrueAsync(
                () => Task.FromResult(killed.HasExited), $"the sweep reaches the step: {killed.Log}", TimeSpan.FromMinutes(2));
        }

        Assert.Equal((done, 0), await CountsAsync(database));
        await using var rest = new GrantFixture(new TestDatabase(database.ConnectionString), DateTimeOffset.UtcNow);
        while (await rest.Booking.SettleNextAsync(1_000, TestContext.Current.CancellationToken) > 0)
            continue;
        Assert.Equal((Accounts, 0), await CountsAsync(database));
        Assert.Equal(
            Accounts, await database.ScalarAsync<int>("select count(*)::int from audit_logs where action = 'credit.expired'"));
    }

    // Accounts that are done, and those of which ledger and balance differ.
    private static async Task<(int Done, int Wrong)> CountsAsync(TestDatabase database) => (
        await database.ScalarAsync<int>(
            "select count(*)::int from user_credits c where credits_remaining = 0 and next_expiry is null and exists ("
                + "select from credit_transactions t where t.user_id = c.user_id and t.grant_key = 'expire:trial' and t.amount = -5)"),
        await database.ScalarAsync<int>(
            "select count(*)::int from user_credits c where credits_remaining <> ("
                + "select sum(amount) from credit_transactions t where t.user_id = c.user_id)"));
}
