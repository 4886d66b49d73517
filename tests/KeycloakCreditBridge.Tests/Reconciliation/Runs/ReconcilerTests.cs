using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Runs;

public sealed class ReconcilerTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_user_whose_event_was_lost_gets_an_account()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 25);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        fixture.Realm.AddUser(new EmulatedUser("not-a-uuid", "zoe"));

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal((ReconcileStatus.Done, new ReconcileCounts(Seen: 26, Missing: 1, Provisioned: 1)), (outcome.Status, outcome.Counts));
        await fixture.AssertAllUsersHaveAccountsAsync();
        Assert.Equal(
            "reconciliation", await fixture.Database.ScalarAsync<string>("select source from user_credits where user_id = 'not-a-uuid'"));
    }

    [Fact]
    public async Task A_user_deleted_without_an_event_is_read_again_when_an_operator_names_it()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("ana-id", "ana"));
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        fixture.Realm.RemoveUser("ana-id");

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers with { UserIds = ["ana-id", "never-heard-of"] });

        Assert.Equal(2, outcome.Counts.Failed);
        Assert.Equal(["ana-id deleted"], await fixture.Database.QueryAsync<string>("select keycloak_id || ' ' || kind from user_hints"));
    }

    [Fact]
    public async Task A_user_disabled_without_an_event_is_held()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("ana-id", "ana"));
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        fixture.Realm.ChangeUser("ana-id", user => user with { Enabled = false });

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal(new ReconcileCounts(Seen: 1), outcome.Counts);
        Assert.Equal("held", await fixture.Database.ScalarAsync<string>("select status from user_credits where user_id = 'ana-id'"));
    }

    [Fact]
    public async Task Where_nothing_is_missing_nothing_is_written_but_the_run()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 25);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        var before = await WrittenAsync(fixture);

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal(new ReconcileCounts(Seen: 25), outcome.Counts);
        Assert.Equal(before, await WrittenAsync(fixture));
    }

    [Fact]
    public async Task A_dry_run_counts_and_writes_nothing_but_the_run()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 25);

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers with { DryRun = true });

        Assert.Equal(new ReconcileCounts(Seen: 25, Missing: 25), outcome.Counts);
        Assert.Empty(await fixture.AccountsAsync());
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from keycloak_users"));
        Assert.Equal("done", await fixture.StatusOfLatestRunAsync());
    }

    [Fact]
    public async Task Since_leaves_out_older_users_but_none_without_a_creation_time()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        var since = new DateTimeOffset(2026, 1, 31, 0, 0, 0, TimeSpan.Zero);
        fixture.Realm.AddUser(new EmulatedUser("older", "a") { CreatedTimestamp = since.ToUnixTimeMilliseconds() - 1 });
        fixture.Realm.AddUser(new EmulatedUser("just-since", "b") { CreatedTimestamp = since.ToUnixTimeMilliseconds() });
        fixture.Realm.AddUser(new EmulatedUser("unknown", "c"));
        fixture.Realm.AddUser(new EmulatedUser("absurd", "d") { CreatedTimestamp = long.MaxValue });

        await fixture.RunAsync(ReconciliationFixture.AllUsers with { Since = since });

        Assert.Equal(["absurd", "just-since", "unknown"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Users_with_odd_names_and_ids_are_ordinary_users()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("f:Abc-_123:ünïcødé/名前", new string('ü', 255)));
        fixture.Realm.AddUser(new EmulatedUser("no-address", "service-account-x"));

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal(new ReconcileCounts(Seen: 2, Missing: 2, Provisioned: 2), outcome.Counts);
        await fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task A_user_is_found_by_id_by_name_and_by_address()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 25);
        fixture.Realm.AddUser(new EmulatedUser("f:x:carol", "carol") { Email = "carol@example.com" });
        fixture.Realm.AddUser(new EmulatedUser("f:x:dave", "dave"));
        fixture.Realm.AddUser(new EmulatedUser("f:x:erin", "erin") { Email = "erin@example.com" });

        var outcome = await fixture.RunAsync(
            ReconciliationFixture.AllUsers with { UserIds = ["f:x:carol", "Dave", "ERIN@example.com", "unknown"] });

        Assert.Equal(new ReconcileCounts(Seen: 3, Missing: 3, Provisioned: 3, Failed: 1), outcome.Counts);
        Assert.Equal(["f:x:carol", "f:x:dave", "f:x:erin"], await fixture.AccountsAsync());
        Assert.Contains("'unknown'", Assert.Single(outcome.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_account_that_is_named_gets_no_account()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("robot", "service-account-robot") { ServiceAccountClientId = "robot" });

        await fixture.RunAsync(ReconciliationFixture.AllUsers with { UserIds = ["robot"] });

        Assert.Empty(await fixture.AccountsAsync());
        Assert.Equal(
            "service_account",
            await fixture.Database.ScalarAsync<string>("select user_state from keycloak_users where keycloak_id = 'robot'"));
    }

    [Fact]
    public async Task A_backfill_re_evaluates_users_that_have_their_accounts()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("alice", "alice"));
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        var checkedAt = await CheckedAtAsync(fixture);

        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        Assert.Equal(checkedAt, await CheckedAtAsync(fixture));
        var backfilled = await fixture.RunAsync(ReconciliationFixture.AllUsers with { ReEvaluate = true });

        Assert.True(await CheckedAtAsync(fixture) > checkedAt);
        Assert.Equal(0, backfilled.Counts.Provisioned);
    }

    [Fact]
    public async Task A_closed_account_of_an_existing_user_is_opened_again()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("alice", "alice"));
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed', status_reason = 'deleted'");

        await fixture.RunAsync(ReconciliationFixture.AllUsers);

        Assert.Equal("active", await fixture.Database.ScalarAsync<string>("select status from user_credits"));
    }

    private static Task<DateTime> CheckedAtAsync(ReconciliationFixture fixture) =>
        fixture.Database.ScalarAsync<DateTime>("select checked_at from keycloak_users");

    private static Task<string?> WrittenAsync(ReconciliationFixture fixture) => fixture.Database.ScalarAsync<string>(
        """
        select concat_ws('/', (select max(xmin::text::bigint) from user_credits), (select max(xmin::text::bigint) from keycloak_users),
            (select max(xmin::text::bigint) from credit_transactions), (select max(xmin::text::bigint) from audit_logs))
        """);
}
