using Dapper;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Periods;

[StartsPrograms]
public sealed class PeriodFaultTests(PostgresFixture postgres)
{
    private const string ManySql =
        """
        with accounts as (
            insert into user_credits (user_id, tier, credits_remaining, credits_allocated, last_reset, created_at)
            select 'user-' || lpad(n::text, 6, '0'), 'trial', 3, 5, now() - interval '1 day',
                now() - interval '31 days' from generate_series(1, @Accounts) n
            returning user_id)
        insert into credit_transactions (user_id, amount, transaction_type) select user_id, 3, 'bonus' from accounts
        """;

    private const string WrongSql =
        """
        select user_id from user_credits c
        left join lateral (
            select sum(amount) as total, count(*) filter (where grant_key like 'reset:%') as resets,
                count(*) filter (where grant_key like 'forfeit:%') as forfeits
            from credit_transactions t where t.user_id = c.user_id) t on true
        where t.total <> c.credits_remaining or t.resets <> 1 or t.forfeits > 1 or c.last_reset <= now()
        """;

    private const string DeductSql =
        """
        with moved as (
            update user_credits set credits_remaining = credits_remaining - 0.01 where user_id = @Id and credits_remaining >= 0.01
            returning user_id, credits_remaining)
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at)
        select user_id, -0.01, credits_remaining, 'usage', clock_timestamp() from moved
        """;

    private const string RenameSql =
        """
        with account as (update user_credits set user_id = @To where user_id = @From)
        update credit_transactions set user_id = @To where user_id = @From
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_charge_that_is_not_committed_yet_is_waited_for_and_counted()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 4m, "2026-11-30");
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var charge = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync(DeductSql, new { Id = "ana" });
        var run = fixture.RunAsync();
        await WaitsForLockAsync(fixture.Database);
        await charge.CommitAsync(Token);
        await run;
        Assert.Equal(
            "5.00 of 5.00 until 2026-12-30 00:00 | adjustment forfeit:2026-11-30 -3.99 0.00 | bonus reset:2026-11-30 5.00 5.00",
            await fixture.PageAsync("ana"));
    }

    [Fact]
    public async Task An_account_that_is_closed_meanwhile_gets_nothing()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 4m, "2026-11-30");
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var closing = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("update user_credits set status = 'closed'");
        var run = fixture.RunAsync();
        await WaitsForLockAsync(fixture.Database);
        await closing.CommitAsync(Token);
        Assert.Equal(0, (await run).Renewed);
        Assert.Equal("4.00 of 5.00 until 2026-11-30 00:00", await fixture.PageAsync("ana"));
    }

    [Fact]
    public async Task Accounts_that_are_renamed_or_swap_their_ids_meanwhile_are_renewed_once_by_the_next_run()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 4m, "2026-11-30");
        await fixture.AddAsync("ben", 3m, "2026-11-30");
        await fixture.AddAsync("cid", 2m, "2026-11-30");
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var renaming = await connection.BeginTransactionAsync(Token);
        foreach (var (from, to) in ((string, string)[])[("ana", "moved"), ("ben", "between"), ("cid", "ben"), ("between", "cid")])
            await connection.ExecuteAsync(RenameSql, new { From = from, To = to });
        var run = fixture.RunAsync();
        await WaitsForLockAsync(fixture.Database);
        await renaming.CommitAsync(Token);
        Assert.Equal(0, (await run).Renewed);
        Assert.Equal(3, (await fixture.RunAsync()).Renewed);
        foreach (var (id, left) in ((string, string)[])[("moved", "4"), ("ben", "2"), ("cid", "3")])
        {
            Assert.Equal(
                $"5.00 of 5.00 until 2026-12-30 00:00 | adjustment forfeit:2026-11-30 -{left}.00 0.00 | bonus reset:2026-11-30 5.00 5.00",
                await fixture.PageAsync(id));
        }
    }

    [Fact]
    public async Task Three_replicas_at_once_beside_deducts_grant_each_account_once_and_lose_no_deduct()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(ManySql, new { Accounts = 7_000 });
        fixture.Clock.Advance(DateTimeOffset.UtcNow - fixture.Clock.GetUtcNow() is { Ticks: > 0 } ahead ? ahead : TimeSpan.FromDays(1));
        using var end = new CancellationTokenSource();
        var deducts = Task.WhenAll(Enumerable.Range(0, 4).Select(async writer =>
        {
            var done = 0;
            await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
            for (var next = writer; !end.IsCancellationRequested; next += 97)
                done += await connection.ExecuteAsync(DeductSql, new { Id = $"user-{(next % 7_000) + 1:000000}" });
            return done;
        }));
        var runs = await Task.WhenAll(fixture.RunAsync(), fixture.RunAsync(), fixture.RunAsync());
        await end.CancelAsync();
        var deducted = (await deducts).Sum();

        Assert.Equal(7_000, runs.Sum(run => run.Renewed));
        Assert.True(deducted > 0);
        Assert.Equal(deducted,
            await fixture.Database.ScalarAsync<int>("select count(*)::int from credit_transactions where transaction_type = 'usage'"));
        Assert.Empty(await fixture.Database.QueryAsync<string>(WrongSql.Replace("now()", "'2026-12-01'::timestamptz",
            StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_bridge_killed_between_two_ranges_leaves_each_done_or_not_and_the_next_one_does_the_rest()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        var settings = fixture.Settings;
        (settings["Periods:Enabled"], settings["Periods:Cron"]) = ("true", "* * * * * ?");
        await using (var first = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.Settings))
            await first.TerminateAsync();
        await fixture.Database.ExecuteAsync(ManySql, new { Accounts = 12_000 });

        await using var blocker = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using (var transaction = await blocker.BeginTransactionAsync(Token))
        {
            await blocker.ExecuteAsync("select from user_credits where user_id = 'user-008000' for update");
            await using var killed = BridgeProcess.Launch(fixture.BridgeUrl, settings);
            await Eventually.TrueAsync(async () => await RenewedAsync(fixture.Database) == 5_000, $"the first range is done: {killed.Log}");
            await WaitsForLockAsync(fixture.Database);
            await killed.KillAsync();
            await fixture.Database.EndWaitingAsync();
        }

        Assert.Equal(5_000, await RenewedAsync(fixture.Database));
        await using var next = await BridgeProcess.StartAsync(fixture.BridgeUrl, settings);
        // The dead one's trigger is taken over before anything is renewed.
        await Eventually.TrueAsync(
            async () => await RenewedAsync(fixture.Database) == 12_000, "every account is in a new period", TimeSpan.FromMinutes(3));
        Assert.Empty(await fixture.Database.QueryAsync<string>(WrongSql));
        Assert.Equal(
            12_000, await fixture.Database.ScalarAsync<int>(
                "select sum((metadata ->> 'accounts')::int)::int from audit_logs where action = 'credit.reset'"));
    }

    private static Task<int> RenewedAsync(TestDatabase database) =>
        database.ScalarAsync<int>("select count(*)::int from user_credits where last_reset > now()");

    private static Task WaitsForLockAsync(TestDatabase database) => Eventually.TrueAsync(
        () => database.WaitsAsync("walked as"), "renewing waits for the account");
}
