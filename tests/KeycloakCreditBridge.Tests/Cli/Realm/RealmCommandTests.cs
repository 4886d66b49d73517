using System.Text.Json.Nodes;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Realm;

[StartsPrograms]
public sealed class RealmCommandTests(PostgresFixture postgres)
{
    private const string New = "store";

    private static IEnumerable<EmulatedUser> Users =>
        Enumerable.Range(1, 5).Select(number => new EmulatedUser($"id-{number}", $"user-{number}"));

    [Fact]
    public async Task A_renamed_realm_keeps_its_accounts_also_when_a_run_under_the_new_name_came_between()
    {
        await using var fixture = await StartAsync("{id}");
        await using var bridge = NewBridge(fixture, "{id}");
        var between = await RunAsync(bridge);
        Assert.Equal(5, await CountAsync(fixture, "keycloak_users where realm = 'store' and reason = 'account_id_taken'"));
        Assert.Equal((0L, 5L), (between.Counts.Failed, between.LeftOut));

        var (exitCode, output, error) = await RenameAsync(fixture, "demo", New);
        var after = await RunAsync(bridge);

        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains("keycloak_users: 5 rows", output, StringComparison.Ordinal);
        Assert.Contains("5 of these users were recorded as users of store too", output, StringComparison.Ordinal);
        Assert.Equal((0L, 0L, 0L), (after.LeftOut, after.Counts.Missing, after.Counts.Provisioned));
        Assert.Equal(5, await CountAsync(fixture, "user_credits where realm = 'store' and status = 'active'"));
        Assert.Equal(5, await CountAsync(fixture, "keycloak_users where realm = 'store' and user_state = 'account'"));
        Assert.Equal(0, await CountAsync(fixture, "keycloak_users where realm = 'demo'"));
    }

    [Fact]
    public async Task All_records_of_a_realm_move_and_cursors_keep_the_earlier_position()
    {
        await using var fixture = await StartAsync("{id}");
        await fixture.Database.ExecuteAsync(
            """
            insert into poll_cursors (realm, stream, watermark, polled_at) values
                ('demo', 'user-events', '2026-01-01', now()), ('store', 'user-events', '2026-01-02', now()),
                ('demo', 'admin-events', '2026-01-04', now()), ('store', 'admin-events', '2026-01-03', now());
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at)
                select r, 'ana', 1, 'x', 'x', 'changed', now(), now() from unnest(array['demo', 'store']) r;
            insert into idempotency_keys (caller, key, body_hash, answer, kept_at) values ('demo/ana', 'k', '', '{}', now());
            """);

        Assert.Equal(0, (await RenameAsync(fixture, "demo", New)).ExitCode);

        Assert.Equal(
            ["admin-events 3", "user-events 1"],
            await fixture.Database.QueryAsync<string>(
                "select stream || ' ' || extract(day from watermark) from poll_cursors where realm = 'store' order by 1"));
        Assert.Equal(["store/ana"], await fixture.Database.QueryAsync<string>("select caller from idempotency_keys"));
        Assert.Equal(
            0,
            await CountAsync(
                fixture,
                "(select realm from user_hints union all select realm from poll_cursors union all select realm from reconcile_runs"
                + " union all select realm from user_credits) r where realm = 'demo'"));
        Assert.Equal(1, await CountAsync(fixture, "audit_logs where action = 'realm.rename' and resource_id = 'store'"));
    }

    [Fact]
    public async Task Tables_of_other_programs_in_the_same_schema_stay_as_they_are()
    {
        await using var fixture = await StartAsync("{id}");
        await fixture.Database.ExecuteAsync(
            """
            create table keycloak_role (realm text not null);
            insert into keycloak_role values ('demo');
            create table orders (realm uuid not null);
            insert into orders values (gen_random_uuid());
            """);

        var (exitCode, output, error) = await RenameAsync(fixture, "demo", New);

        Assert.Equal((0, ""), (exitCode, error));
        Assert.DoesNotContain("keycloak_role", output, StringComparison.Ordinal);
        Assert.Equal(["demo"], await fixture.Database.QueryAsync<string>("select realm from keycloak_role"));
        Assert.Equal(5, await CountAsync(fixture, "user_credits where realm = 'store'"));
    }

    [Fact]
    public async Task Every_table_of_the_bridge_that_has_a_realm_is_renamed_in()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        Assert.Equal(
            await database.QueryAsync<string>(
                """
                select table_name::text collate "C" from information_schema.columns c
                where column_name = 'realm' and table_schema not in ('pg_catalog', 'information_schema')
                    and exists (select from pg_tables t where t.schemaname = c.table_schema and t.tablename = c.table_name)
                order by 1
                """),
            await database.QueryAsync<string>(
                "select relation collate \"C\" from credit_rename_realm('demo', 'store', true) order by 1"));
    }

    [Fact]
    public async Task A_second_account_that_a_run_opened_is_closed_and_a_used_one_is_named()
    {
        await using var fixture = await StartAsync("{realm}:{id}");
        await using var bridge = NewBridge(fixture, "{realm}:{id}");
        await RunAsync(bridge);
        var used = await fixture.Database.ScalarAsync<string>("select min(user_id) from user_credits where realm = 'store'");
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, transaction_type) values (@used, -1, 'usage');
            update user_credits set credits_remaining = credits_remaining - 1 where user_id = @used;
            """,
            new { used });

        var (exitCode, output, _) = await RenameAsync(fixture, "demo", New);
        var after = await RunAsync(bridge);

        Assert.Equal(0, exitCode);
        Assert.Contains("5 accounts that were opened a second time were closed", output, StringComparison.Ordinal);
        Assert.Contains($"{used} was used and has ", output, StringComparison.Ordinal);
        Assert.Equal((0L, 0L), (after.LeftOut, after.Counts.Provisioned));
        Assert.Equal(5, await CountAsync(fixture, "user_credits where user_id like 'demo:%' and realm = 'store' and status = 'active'"));
        Assert.Equal(5, await CountAsync(fixture, "user_credits where user_id like 'store:%' and status = 'closed'"));
        Assert.Equal(5, await CountAsync(fixture, "keycloak_users where realm = 'store' and account_id like 'demo:%'"));
    }

    [Fact]
    public async Task A_dry_run_says_the_same_and_writes_nothing()
    {
        await using var fixture = await StartAsync("{id}");
        var before = await StateAsync(fixture);

        var (exitCode, output, _) = await RenameAsync(fixture, "demo", New, "--dry-run");

        Assert.Equal(0, exitCode);
        Assert.Contains("dry run, nothing was written", output, StringComparison.Ordinal);
        Assert.Contains("user_credits: 5 rows", output, StringComparison.Ordinal);
        Assert.Equal(before, await StateAsync(fixture));
    }

    [Fact]
    public async Task A_rename_that_fails_midway_changes_nothing()
    {
        await using var fixture = await StartAsync("{id}");
        await fixture.Database.ExecuteAsync(
            """
            create function refuse() returns trigger language plpgsql as $$ begin raise 'refused midway'; end $$;
            create trigger refuses before update on user_credits execute function refuse();
            """);
        var before = await StateAsync(fixture);

        var (exitCode, _, error) = await RenameAsync(fixture, "demo", New);

        Assert.Equal(1, exitCode);
        Assert.Contains("refused midway", error, StringComparison.Ordinal);
        Assert.Equal(before, await StateAsync(fixture));
    }

    [Fact]
    public async Task Two_realms_are_not_merged_unasked_and_an_unknown_one_is_named()
    {
        await using var fixture = await StartAsync("{id}");
        await fixture.Database.ExecuteAsync(
            "insert into keycloak_users (realm, keycloak_id, user_state, checked_at) values ('store', 'zoe', 'excluded', now())");

        var merging = await RenameAsync(fixture, "demo", New);
        var unknown = await RenameAsync(fixture, "shop", "shop2");
        var same = await RenameAsync(fixture, "demo", "demo");

        Assert.Equal((1, 1, 2), (merging.ExitCode, unknown.ExitCode, same.ExitCode));
        Assert.Contains("--merge", merging.Error, StringComparison.Ordinal);
        Assert.Equal(
            "Nothing is on record for realm shop. Realms on record: demo, store.\n", unknown.Error);
        Assert.Equal(5, await CountAsync(fixture, "user_credits where realm = 'demo'"));
        Assert.Equal(0, (await RenameAsync(fixture, "demo", New, "--merge")).ExitCode);
    }

    [Fact]
    public async Task A_realm_that_is_being_reconciled_is_not_renamed()
    {
        await using var fixture = await StartAsync("{id}");
        await fixture.Database.ExecuteAsync(
            "insert into leases (name, owner, held_until) values ('reconcile:store', 'x', now() + interval '1 minute')");

        var (exitCode, _, error) = await RenameAsync(fixture, "demo", New);

        Assert.Equal(1, exitCode);
        Assert.Contains("store is reconciled now", error, StringComparison.Ordinal);
        Assert.Equal(5, await CountAsync(fixture, "user_credits where realm = 'demo'"));
    }

    // The realm `demo` with accounts; Keycloak has the same users under the new name too.
    private async Task<ReconciliationFixture> StartAsync(string template)
    {
        var fixture = await ReconciliationFixture.StartAsync(postgres);
        foreach (var user in Users)
            fixture.Realm.AddUser(user);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, ("Provisioning:AccountId", template));
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);
        await fixture.Keycloak.ImportAsync(New, new JsonObject
        {
            ["clients"] = new JsonArray(EmulatorFixture.Client("credit-bridge")),
            ["users"] = new JsonArray(EmulatorFixture.ServiceAccount("credit-bridge", "view-events", "view-users")),
        });
        foreach (var user in Users)
            fixture.Keycloak.Server.Realm(New).AddUser(user);
        return fixture;
    }

    private static BridgeFixture NewBridge(ReconciliationFixture fixture, string template) => BridgeFixture.Build(
        fixture.Database, fixture.Keycloak, ("Keycloak:Realms:0:Name", New), ("Provisioning:AccountId", template));

    private static Task<ReconcileOutcome> RunAsync(BridgeFixture bridge) => ReconciliationFixture.RunAsync(
        bridge, new RunRequest(New, RunTriggers.Command, Mode: ReconcileMode.List), null, TestContext.Current.CancellationToken);

    private static Task<(int ExitCode, string Output, string Error)> RenameAsync(
        ReconciliationFixture fixture, string from, string to, params IEnumerable<string> options) =>
        CommandProcess.RunAsync(
            [KeyValuePair.Create("Storage:ConnectionString", (string?)fixture.Database.ConnectionString)],
            ["realm", "rename", from, to, .. options]);

    private static async Task<int> CountAsync(ReconciliationFixture fixture, string from) =>
        await fixture.Database.ScalarAsync<int>($"select count(*)::int from {from}");

    private static async Task<string?> StateAsync(ReconciliationFixture fixture) => await fixture.Database.ScalarAsync<string>(
        """
        select string_agg(x, ';' order by x) from (
            select 'k' || k::text from keycloak_users k union all select 'c' || c::text from user_credits c
            union all select 'r' || r::text from reconcile_runs r union all select 'a' || a::text from audit_logs a) s (x)
        """);
}
