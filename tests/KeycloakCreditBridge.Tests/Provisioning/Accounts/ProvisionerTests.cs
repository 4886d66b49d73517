using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.Accounts.ProvisionerFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

public sealed class ProvisionerTests(PostgresFixture postgres)
{
    private static readonly CancellationToken Token = CancellationToken.None;

    [Fact]
    public async Task A_new_user_gets_account_ledger_row_audit_row_and_record_in_one_transaction()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var result = await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        var opened = Assert.Single(result.Changes);
        Assert.True(opened.Opened);
        Assert.Equal(5m, opened.Balance);
        Assert.Equal(
            ["ana 5.000000 5.000000 trial 5.000000 active webhook"],
            await database.QueryAsync<string>(
                "select concat_ws(' ', user_id, credits_remaining, credits_allocated, tier, monthly_cap, status, source) from "
                    + "user_credits"));
        Assert.Equal(
            ["""purchase signup 5.000000 5.000000 {"tier": "trial", "reason": "initial_allocation", "source": "webhook"}"""],
            await database.QueryAsync<string>(
                "select concat_ws(' ', transaction_type, grant_key, amount, balance_after, metadata) from credit_transactions where "
                    + "user_id = 'ana'"));
        Assert.Equal(
            ["credit.create success user_credits ana"],
            await database.QueryAsync<string>(
                "select concat_ws(' ', action, result, resource_type, resource_id) from audit_logs where user_id = 'ana'"));
        Assert.Equal(1, await database.ScalarAsync<int>(
            """
            select count(distinct xmin)::int from (select xmin::text from user_credits union select xmin::text from credit_transactions
                union select xmin::text from audit_logs union select xmin::text from keycloak_users) rows
            """));
    }

    [Fact]
    public async Task The_first_period_ends_after_thirty_days()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        Assert.Equal(Now.AddDays(30).UtcDateTime, await database.ScalarAsync<DateTime>("select last_reset from user_credits"));
    }

    [Fact]
    public async Task The_same_desired_state_again_changes_nothing()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        var before = await database.QueryAsync<string>("select c::text || c.xmin from user_credits c");
        Assert.Empty((await Provisioner(database).ConvergeAsync([Evaluate("ana"), Evaluate("ana")], Token)).Changes);
        Assert.Equal(before, await database.QueryAsync<string>("select c::text || c.xmin from user_credits c"));
        Assert.Equal(1, await database.ScalarAsync<int>("select count(*)::int from credit_transactions"));
    }

    [Fact]
    public async Task Thirty_two_replicas_at_once_grant_once()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var results = await Task.WhenAll(
            Enumerable.Range(0, 32).Select(_ => Task.Run(() => Provisioner(database).ConvergeAsync([Evaluate("ana")], Token))));
        Assert.Single(results.SelectMany(result => result.Changes));
        Assert.Equal(5m, await database.ScalarAsync<decimal>("select sum(amount) from credit_transactions"));
    }

    [Fact]
    public async Task Overlapping_batches_in_any_order_never_deadlock()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var users = Enumerable.Range(0, 3_000).Select(number => $"user-{number}").ToArray();
        var batches = Enumerable.Range(0, 4).Select(
            replica => users.OrderBy(user => $"{replica}{user.GetHashCode(StringComparison.Ordinal)}", StringComparer.Ordinal));
        await Task.WhenAll(batches.Select(order => Task.Run(async () =>
        {
            foreach (var batch in order.Chunk(500))
                await Provisioner(database).ConvergeAsync(batch.Select(user => Evaluate(user)), Token);
        })));
        Assert.Equal(3_000, await database.ScalarAsync<int>("select count(*)::int from user_credits"));
        await database.AssertNoDeadlockAsync();
    }

    [Fact]
    public async Task An_account_from_elsewhere_is_recorded_and_not_granted()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(
            "insert into user_credits (user_id, credits_remaining, credits_allocated, tier) values ('ana', 3, 5, 'trial')");
        Assert.Empty((await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token)).Changes);
        Assert.Equal(0, await database.ScalarAsync<int>("select count(*)::int from credit_transactions"));
        Assert.Equal("ana", await database.ScalarAsync<string>("select account_id from keycloak_users"));
    }

    [Fact]
    public async Task An_account_row_that_was_removed_comes_back_with_what_its_ledger_says()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        await database.ExecuteAsync("insert into credit_transactions (user_id, amount, transaction_type) values ('ana', -1.5, 'usage')");
        await database.ExecuteAsync("delete from user_credits");
        await Provisioner(database).ConvergeAsync([Evaluate("ana")], Token);
        Assert.Equal(3.5m, await database.ScalarAsync<decimal>("select credits_remaining from user_credits"));
    }

    [Fact]
    public async Task A_service_account_is_recorded_and_gets_no_account()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("robot", isServiceAccount: true)], Token);
        Assert.Equal(0, await database.ScalarAsync<int>("select count(*)::int from user_credits"));
        Assert.Equal("service_account", await database.ScalarAsync<string>("select user_state from keycloak_users"));
    }

    [Fact]
    public async Task An_unlimited_tier_is_a_flag_and_not_a_number()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await Provisioner(database).ConvergeAsync([Evaluate("ana", tier: "enterprise")], Token);
        Assert.Equal("t 0.000000 none", await database.ScalarAsync<string>(
            "select concat_ws(' ', unlimited, credits_remaining, coalesce(monthly_cap::text, 'none')) from user_credits"));
    }

    [Fact]
    public async Task A_user_that_the_database_refuses_does_not_stop_the_rest_of_its_batch()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var batch = Enumerable.Range(0, 1_000).Select(number => Evaluate(number == 613 ? "nul-\0" : $"user-{number}"));
        var result = await Provisioner(database).ConvergeAsync(batch, Token);
        Assert.Equal("nul-\0", Assert.Single(result.Refusals).DesiredState.KeycloakId);
        Assert.Equal(999, result.Opened);
    }

    [Fact]
    public async Task The_hint_is_completed_with_the_account_unless_a_newer_one_came()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var hints = new HintStore(database.DataSource);
        await hints.AddAsync([Hint("ana"), Hint("ben")], Now, Now, null, Token);
        var claimed = await hints.ClaimAsync(2, Now, Now.AddSeconds(30), null, Token);
        await hints.AddAsync([Hint("ben")], Now, Now, null, Token);
        await Provisioner(database).ConvergeAsync(
            claimed.Select(hint => Evaluate(hint.KeycloakId) with { HintVersion = hint.Version }), Token);
        Assert.Equal(["ben"], await database.QueryAsync<string>("select keycloak_id from user_hints"));
    }

    [Fact]
    public async Task A_dead_hint_is_completed_by_a_later_reading_and_not_by_an_earlier_one()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var hints = new HintStore(database.DataSource);
        await hints.AddAsync([Hint("ana")], Now, Now, null, Token);
        var claimed = await hints.ClaimAsync(1, Now, Now.AddSeconds(30), null, Token);
        await hints.PostponeAsync([new PostponedHint(claimed[0], Now, 10, Dead: true, "cannot succeed")], Token);
        await Provisioner(database).ConvergeAsync([Evaluate("ana", readAt: Now.AddSeconds(-1))], Token);
        Assert.Equal(1, (await hints.BacklogAsync(Token)).Dead);
        await Provisioner(database).ConvergeAsync([Evaluate("ana", readAt: Now.AddSeconds(1))], Token);
        Assert.Equal(0, (await hints.BacklogAsync(Token)).Dead);
    }

    [Fact]
    public async Task A_user_that_a_trigger_refuses_does_not_stop_the_rest_of_its_batch()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(
            """
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$;
            create trigger refuse before insert on user_credits for each row when (new.user_id = 'ben') execute function refuse();
            """);
        var result = await Provisioner(database).ConvergeAsync([Evaluate("ana"), Evaluate("ben"), Evaluate("cy")], Token);
        Assert.Equal(("ben", "not this one"), (Assert.Single(result.Refusals).DesiredState.KeycloakId, result.Refusals[0].Reason));
        Assert.Equal(2, result.Opened);
    }

    private static UserHint Hint(string user) => new("demo", user, HintKind.Changed, "REGISTER", HintSources.Webhook);
}
