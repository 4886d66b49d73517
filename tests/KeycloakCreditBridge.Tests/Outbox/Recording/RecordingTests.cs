using Dapper;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Notices;
using KeycloakCreditBridge.Tests.Grants;
using KeycloakCreditBridge.Tests.Periods;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Outbox.Recording;

/// <summary>What happens to an account is recorded with it, whichever program does it.</summary>
public sealed class RecordingTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Status_tier_and_period_of_an_account_are_told()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync();
        foreach (var change in (string[])
            [
                "status = 'held', status_reason = 'disabled'", "status = 'active', status_reason = null",
                "tier = 'pro', credits_remaining = 50", "last_reset = last_reset + interval '30 days'", "status = 'closed'",
                "updated_at = now()", "credits_remaining = 60",
            ])
        {
            await fixture.Database.ExecuteAsync($"update user_credits set {change} where user_id = 'user-1'");
        }

        Assert.Equal(
            ["credits.account.opened", "credits.account.held", "credits.account.reopened", "tier.switched", "credits.period.renewed",
                "credits.account.closed"],
            await fixture.TypesAsync());
        Assert.Equal(
            """{"tier": "trial", "reason": "disabled", "status": "held", "balance": "5.000000", "previous": "active"}""",
            await fixture.DataAsync("credits.account.held"));
        Assert.Equal(
            """{"to": "pro", "from": "trial", "tier": "pro", "balance": "50.000000", "unlimited": false}""",
            await fixture.DataAsync("tier.switched"));
    }

    [Fact]
    public async Task A_charge_tells_once_that_the_balance_is_low_and_once_that_it_is_used_up()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync();
        await fixture.TakeAsync(2.999999m);
        Assert.Equal(["credits.account.opened"], await fixture.TypesAsync());
        await fixture.TakeAsync(0.000001m);
        await fixture.TakeAsync(1m);
        Assert.Equal(["credits.account.opened", "credits.low"], await fixture.TypesAsync());
        Assert.Equal("""{"tier": "trial", "balance": "2.000000", "threshold": "2"}""", await fixture.DataAsync("credits.low"));
        await fixture.TakeAsync(1m);
        await fixture.TakeAsync(1m);
        // Filled up and spent at once: both are told, the threshold first.
        await fixture.TakeAsync(-9m);
        await fixture.TakeAsync(9m);
        Assert.Equal(
            ["credits.account.opened", "credits.low", "credits.exhausted", "credits.low", "credits.exhausted"], await fixture.TypesAsync());
    }

    [Fact]
    public async Task A_low_balance_is_told_by_the_ledger_whichever_order_a_program_writes_in_and_with_a_row_without_a_balance()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync(count: 3);
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, balance_after, transaction_type) values ('user-1', -4, 1, 'usage');
            update user_credits set credits_remaining = 1 where user_id in ('user-1', 'user-2', 'user-3');
            insert into credit_transactions (user_id, amount, transaction_type) values ('user-2', -4, 'usage');
            """);
        Assert.Equal(["credits.account.opened", "credits.low"], await fixture.TypesAsync());
        Assert.Equal(["credits.account.opened", "credits.low"], await fixture.TypesAsync("user-2"));
        // Without a ledger row there is no charge to tell.
        Assert.Equal(["credits.account.opened"], await fixture.TypesAsync("user-3"));
    }

    [Fact]
    public async Task A_held_grant_is_told_and_who_decided_it_by_kind_alone()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(
            """
            insert into grant_holds (user_id, grant_key, policy, credits, terms, score, signals, state, held_at, lapse_after, lapses_at)
            select 'user-' || n, 'welcome', 'welcome', 5, '{}', 70, '[]', case n when 3 then 'rejected' else 'held' end, now(), '1 day',
                '2026-12-24T00:00:00Z'
            from generate_series(1, 3) n;
            update grant_holds set checked_at = now();
            update grant_holds set state = 'rejected', decided_by = 'anna', decided_at = now() where user_id = 'user-1';
            update grant_holds set state = 'held', decided_by = null, appealed_at = now() where user_id = 'user-1';
            update grant_holds set state = 'approved', decided_by = 'bert' where user_id = 'user-1';
            update grant_holds set state = 'lapsed', decided_by = 'time' where user_id = 'user-2';
            """);
        Assert.Equal(["grant.held", "grant.rejected", "grant.held", "grant.approved"], await fixture.TypesAsync());
        Assert.Equal(["grant.held", "grant.rejected"], await fixture.TypesAsync("user-2"));
        Assert.Equal(["grant.rejected"], await fixture.TypesAsync("user-3"));
        var approved = await fixture.DataAsync("grant.approved");
        Assert.Contains("\"by\": \"operator\"", approved, StringComparison.Ordinal);
        Assert.Contains("\"amount\": \"5.000000\"", approved, StringComparison.Ordinal);
        Assert.DoesNotContain("bert", approved, StringComparison.Ordinal);
        Assert.Contains("\"by\": \"time\"", await fixture.DataAsync("grant.rejected"), StringComparison.Ordinal);
        Assert.DoesNotContain("\"by\"", await fixture.DataAsync("grant.held"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unlimited_account_and_a_tier_without_a_threshold_are_never_low()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync(count: 2);
        await fixture.Database.ExecuteAsync(
            "update user_credits set unlimited = user_id = 'user-1', tier = case user_id when 'user-1' then tier else 'pro' end");
        await fixture.TakeAsync(6m);
        await fixture.TakeAsync(4m, "user-2");
        Assert.Equal(["credits.account.opened"], await fixture.TypesAsync());
        Assert.Equal(["credits.account.opened", "tier.switched"], await fixture.TypesAsync("user-2"));
    }

    [Fact]
    public async Task Grants_notices_and_ends_of_grants_are_told()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        var grants = new GrantFixture(fixture.Database);
        await grants.OpenAsync("user-1");
        await grants.GiveAsync("user-1", "trial", 5m, days: 30);
        await grants.SpendAsync("user-1", 1m);
        grants.Time.Advance(TimeSpan.FromDays(29));
        await new GrantNotices(
            fixture.Database.DataSource, new GrantClock(() => grants.Time.GetUtcNow()), Options.Create(new GrantsOptions()), grants.Time,
            NullLogger<GrantNotices>.Instance).RunAsync(Token);
        grants.Time.Advance(TimeSpan.FromDays(2));
        Assert.True(await grants.Book.SettleAsync("user-1", Token));
        var types = await fixture.TypesAsync();
        Assert.Equal(["credits.account.opened", "credits.granted", "credits.expiring"], types.Take(3));
        // One statement books out and empties the account: these have no order among them.
        Assert.Equal(["credits.exhausted", "credits.expired", "credits.low"], types.Skip(3).Order());
        Assert.Contains("\"amount\": \"4.000000\"", await fixture.DataAsync("credits.expired"), StringComparison.Ordinal);
        Assert.Contains("\"amount\": \"5.000000\"", await fixture.DataAsync("credits.granted"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_renewed_period_is_told_with_its_grant()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        var periods = new PeriodFixture(fixture.Database);
        await periods.AddAsync("user-1", 1m, "2026-11-30");
        await periods.RunAsync();
        Assert.Equal(
            ["credits.account.opened", "credits.granted", "credits.granted", "credits.period.renewed"],
            (await fixture.TypesAsync()).Order());
    }

    [Fact]
    public async Task What_is_undone_is_not_told()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("insert into user_credits (user_id) values ('user-1')");
        await transaction.RollbackAsync(Token);
        Assert.Empty(await fixture.TypesAsync());
    }

    [Fact]
    public async Task What_Keycloak_shows_is_told_and_follows_an_account_that_is_renamed()
    {
        await using var accounts = await AccountFixture.StartAsync(postgres, OncePerEmail("{email}"));
        var fixture = new OutboxFixture(accounts.Database);
        await fixture.Switch.SwitchAsync(new Dictionary<string, decimal>(), Token);
        await accounts.ReadAsync(User("ana", "a@example.com"));
        await accounts.ReadAsync(User("ana", "a@example.com", enabled: false));
        await accounts.ReadAsync(User("ana", "b@example.com"));
        Assert.Equal(
            ["credits.account.opened", "credits.granted", "credits.account.held", "credits.account.reopened"],
            await fixture.TypesAsync("b@example.com"));
        Assert.Empty(await fixture.TypesAsync("a@example.com"));
    }
}
