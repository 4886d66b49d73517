using Dapper;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Outbox.Recording;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Outbox.Recording;

/// <summary>Events cost nothing while they are off, and only programs that change accounts make one.</summary>
public sealed class EventSwitchTests(PostgresFixture postgres)
{
    private const string TriggersSql =
        """
        select tgrelid::regclass || ' ' || tgname from pg_trigger
        where starts_with(tgname, 'credit_event_') order by 1
        """;

    private static readonly Dictionary<string, decimal> None = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Triggers_stand_only_while_events_are_on()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new EventSwitchStore(database.DataSource);
        Assert.Empty(await database.QueryAsync<string>(TriggersSql));
        Assert.False(await store.SwitchAsync(null, Token));
        Assert.False(await store.IsOnAsync(Token));

        Assert.True(await store.SwitchAsync(None, Token));
        Assert.False(await store.SwitchAsync(None, Token));
        Assert.True(await store.IsOnAsync(Token));
        Assert.Equal(
            ["audit_logs credit_event_noticed", "credit_transactions credit_event_entered", "grant_holds credit_event_decided",
                "grant_holds credit_event_held", "user_credits credit_event_changed", "user_credits credit_event_opened"],
            await database.QueryAsync<string>(TriggersSql));
        Assert.True(await store.SwitchAsync(new Dictionary<string, decimal> { ["it's"] = 0.5m }, Token));

        await database.ExecuteAsync("alter table audit_logs disable trigger credit_event_noticed");
        Assert.Null(await store.IsOnAsync(Token));
        Assert.True(await store.SwitchAsync(None, Token));
        Assert.True(await store.IsOnAsync(Token));

        Assert.True(await store.SwitchAsync(null, Token));
        Assert.Empty(await database.QueryAsync<string>(TriggersSql));
    }

    [Fact]
    public async Task A_bridge_with_events_switches_them_on_and_one_without_off()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using (var bridge = await Build(database, ("Outbox:Enabled", "true"), ("Outbox:Low:trial", "2")).StartAsync())
        {
            await Eventually.TrueAsync(async () => await StateAsync() == true, "events are recorded");
            await database.ExecuteAsync("drop trigger credit_event_opened on user_credits");
            await bridge.Services.GetRequiredService<EventSwitch>().SwitchAsync(Token);
            Assert.True(await StateAsync());
        }

        await using (await Build(database).StartAsync())
            await Eventually.TrueAsync(async () => await StateAsync() == false, "no events are recorded");

        Task<bool?> StateAsync() => new EventSwitchStore(database.DataSource).IsOnAsync(Token);
    }

    [Fact]
    public async Task What_migration_0075_made_goes_on_until_the_ledger_tells_and_is_replaced_then()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(
            """
            drop trigger credit_event_changed on user_credits;
            drop trigger credit_event_entered on credit_transactions;
            create trigger credit_event_changed after update on user_credits
                for each row execute function credit_event_of_change('2', '{"trial": 2}');
            create trigger credit_event_entered after insert on credit_transactions
                for each row when (new.transaction_type <> 'usage') execute function credit_event_of_entry();
            """);
        await fixture.OpenAsync(count: 2);
        // As an older program asks, which knows no other order.
        Assert.False(await fixture.Database.ScalarAsync<bool>("select credit_switch_events('user_credits', '{\"trial\": 2}')"));
        await fixture.TakeAsync(4m);
        Assert.True(await fixture.Switch.SwitchAsync(new Dictionary<string, decimal> { ["trial"] = 2m }, Token));
        await fixture.TakeAsync(4m, "user-2");
        Assert.Equal(["credits.account.opened", "credits.low"], await fixture.TypesAsync());
        Assert.Equal(["credits.account.opened", "credits.low"], await fixture.TypesAsync("user-2"));
    }

    [Fact]
    public async Task While_an_older_replica_runs_held_grants_are_not_told_and_all_else_is()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(
            """
            insert into replicas (id, version, last_migration, started_at, last_seen) values ('old-1', '1.0', 89, now(), now())
            """);
        var store = new EventSwitchStore(database.DataSource);
        var refused = await Assert.ThrowsAsync<OlderReplicasException>(() => store.SwitchAsync(None, Token));
        Assert.Contains("old-1 (version 1.0)", refused.Message, StringComparison.Ordinal);
        Assert.Equal(4, (await database.QueryAsync<string>(TriggersSql)).Count);
        Assert.Null(await store.IsOnAsync(Token));
        await database.ExecuteAsync("delete from replicas");
        Assert.True(await store.SwitchAsync(None, Token));
        Assert.True(await store.IsOnAsync(Token));
    }

    [Fact]
    public async Task A_table_that_others_write_to_is_waited_for_two_seconds_only()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var connection = await database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("insert into user_credits (user_id) values ('user-1')");
        var store = new EventSwitchStore(database.DataSource);
        var failure = await Assert.ThrowsAsync<PostgresException>(() => store.SwitchAsync(None, Token));
        Assert.Equal(PostgresErrorCodes.LockNotAvailable, failure.SqlState);
        await transaction.CommitAsync(Token);
        Assert.True(await store.SwitchAsync(None, Token));
    }

    [Fact]
    public async Task A_role_without_rights_on_events_makes_them_by_changing_accounts_and_in_no_other_way()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync();
        var role = $"biller_{Guid.NewGuid():n}";
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            $"""
            create role {role};
            grant select, update on user_credits to {role};
            grant insert on credit_transactions to {role};
            create schema evil authorization {role};
            set role {role};
            create table evil.t ();
            create function evil.less(numeric, numeric) returns boolean language sql as 'select true or 1 / 0 = 1';
            create function evil.differs(text, text) returns boolean language plpgsql
                as $$ begin raise exception 'as %', current_user; end $$;
            create function evil.width_bucket(numeric, numeric[]) returns int language sql as 'select 1 / 0';
            create operator evil.< (leftarg = numeric, rightarg = numeric, function = evil.less);
            create operator evil.<> (leftarg = text, rightarg = text, function = evil.differs);
            """);
        try
        {
            foreach (var attempt in (string[])
                [
                    "insert into public.outbox (account_id, type, data) values ('user-1', 'credits.granted', '{}')",
                    "select public.credit_write_events(u, u, 1, true) from public.user_credits u",
                    "create trigger t after update on public.user_credits execute function public.credit_event_of_change(1, 1)",
                    "create trigger t after insert on evil.t for each row execute function public.credit_event_of_booking(1, 1, 1)",
                    "select public.credit_write_entry(null::public.credit_transactions, '{}')",
                    "create trigger t after insert on evil.t for each row execute function public.credit_event_of_opening()",
                    "select public.credit_switch_events('user_credits', null)",
                ])
            {
                var refused = await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(attempt));
                Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
            }

            await connection.ExecuteAsync(
                """
                set search_path = evil, pg_catalog;
                update public.user_credits set credits_remaining = 1.5, status = 'held' where user_id = 'user-1';
                insert into public.credit_transactions (user_id, amount, balance_after, transaction_type)
                values ('user-1', -3.5, 1.5, 'usage')
                """);
        }
        finally
        {
            await connection.ExecuteAsync($"reset role; reset search_path; drop owned by {role} cascade; drop role {role}");
        }

        Assert.Equal(["credits.account.opened", "credits.account.held", "credits.low"], await fixture.TypesAsync());
    }

    [Theory]
    [InlineData("Outbox:Keep", "5.00:00:00", "Outbox:Keep is 5.00:00:00: choose 6.00:00:00 to 90.00:00:00.")]
    [InlineData("Outbox:Low:trial", "0", "Outbox:Low:trial is 0: give credits above 0; credits.exhausted tells of 0.")]
    public async Task A_wrong_setting_stops_the_start(string key, string value, string problem)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var failure = Assert.Throws<ConfigurationException>(() => Build(database, (key, value)));
        Assert.Contains(problem, failure.Message, StringComparison.Ordinal);
    }

    // No Keycloak is asked for anything here.
    private static BridgeFixture Build(TestDatabase database, params (string Key, string? Value)[] settings) =>
        BridgeFixture.Build(BridgeFixture.Settings(database.ConnectionString, new Uri("http://127.0.0.1:9")), settings);
}
