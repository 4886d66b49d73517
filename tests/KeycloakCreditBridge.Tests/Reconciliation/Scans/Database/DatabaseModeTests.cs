using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;

/// <summary>A realm read from Keycloak's own database.</summary>
public sealed class DatabaseModeTests(PostgresFixture postgres) : IAsyncLifetime
{
    private ReconciliationFixture _fixture = null!;
    private KeycloakTables _tables = null!;
    private BridgeFixture _bridge = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await ReconciliationFixture.StartAsync(postgres, users: 120);
        _fixture.Realm.AddUser(
            new EmulatedUser("robot", "service-account-robot") { ServiceAccountClientId = "robot", CreatedTimestamp = 5 });
        _fixture.Realm.AddUser(new EmulatedUser("no-date", "no-date"));
        _tables = await KeycloakTables.CreateAsync(postgres);
        _bridge = BridgeFixture.Build(_fixture.Database, _fixture.Keycloak, _tables.Setting);
    }

    public async ValueTask DisposeAsync()
    {
        await _bridge.DisposeAsync();
        await _tables.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task It_is_chosen_where_it_is_configured_and_shows_every_user_once()
    {
        var outcome = await RunAsync(ReconcileMode.Auto);
        Assert.Equal((ReconcileStatus.Done, ReconcileMode.Database), (outcome.Status, outcome.Mode));
        Assert.Equal(new ReconcileCounts(Seen: 121, Missing: 121, Provisioned: 121), outcome.Counts);
        await _fixture.AssertAllUsersHaveAccountsAsync();
        Assert.Equal(new ReconcileCounts(Seen: 121), (await RunAsync(ReconcileMode.Auto)).Counts);
    }

    [Fact]
    public async Task A_user_that_was_created_deleted_disabled_or_lost_the_account_is_found()
    {
        await RunAsync(ReconcileMode.Database);
        var users = await _fixture.UserIdsAsync();
        var (deleted, disabled, broken) = (users[3], users[50], users[100]);
        _fixture.Realm.RemoveUser(deleted);
        _fixture.Realm.ChangeUser(disabled, user => user with { Enabled = false });
        _fixture.Realm.AddUser(new EmulatedUser("0-first", "first"));
        _fixture.Realm.AddUser(new EmulatedUser("z-last", "last"));
        await _fixture.Database.ExecuteAsync("delete from user_credits where user_id = @broken", new { broken });

        var outcome = await RunAsync(ReconcileMode.Database);

        Assert.Equal((122L, 3L, 1L, 1L), (outcome.Counts.Seen, outcome.Counts.Provisioned, outcome.Counts.NotShown, outcome.Counts.Closed));
        Assert.Equal(["closed", "held", "active", "active", "active"], await StatusesAsync(deleted, disabled, broken, "0-first", "z-last"));
        Assert.Equal(new ReconcileCounts(Seen: 122), (await RunAsync(ReconcileMode.Database)).Counts);
    }

    [Fact]
    public async Task More_than_the_share_are_closed_only_when_an_operator_allows_it()
    {
        await RunAsync(ReconcileMode.Database);
        foreach (var deleted in (await _fixture.UserIdsAsync())[..5])
            _fixture.Realm.RemoveUser(deleted);
        var asked = await RunAsync(ReconcileMode.Database);
        Assert.Equal((true, 5L, 0L), (asked.NeedsOperator, asked.Counts.NotShown, asked.Counts.Closed));
        var allowed = await ReconciliationFixture.RunAsync(
            _bridge, ReconciliationFixture.By(ReconcileMode.Database) with { AllowClosing = 5 }, null,
            TestContext.Current.CancellationToken);
        Assert.Equal((false, 5L), (allowed.NeedsOperator, allowed.Counts.Closed));
    }

    [Fact]
    public async Task Federated_users_without_import_are_found_by_the_list()
    {
        _fixture.Realm.AddToDirectory(new EmulatedUser("f:component:ana", "ana"));
        Assert.Equal(122, (await RunAsync(ReconcileMode.Database)).Counts.Provisioned);
        await _fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task Nothing_is_written_where_nothing_differs()
    {
        await RunAsync(ReconcileMode.Database);
        var before = await WrittenAsync();
        await RunAsync(ReconcileMode.Database);
        Assert.Equal(before, await WrittenAsync());
    }

    [Fact]
    public async Task A_user_missing_from_the_database_and_known_to_Keycloak_is_not_closed()
    {
        await RunAsync(ReconcileMode.Database);
        await _tables.ExecuteAsync("delete from user_entity where username = 'user0000007'");
        var outcome = await RunAsItIsAsync();
        Assert.Equal((1L, 0L), (outcome.Counts.NotShown, outcome.Counts.Closed));
        Assert.Equal(0, await _fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits where status <> 'active'"));
    }

    [Theory]
    [InlineData("insert", "user_entity", "user_entity (insert)")]
    [InlineData("update", "user_entity", "user_entity (update)")]
    [InlineData("delete", "user_entity", "user_entity (delete)")]
    [InlineData("truncate", "user_entity", "user_entity (truncate)")]
    [InlineData("update (email)", "user_entity", "user_entity (update)")]
    [InlineData("insert (secret)", "credential", "credential (insert)")]
    [InlineData("delete", "credential", "credential (delete)")]
    public async Task A_role_that_may_write_is_refused(string privilege, string table, string named)
    {
        await _tables.ExecuteAsync("create table credential (id varchar(36) primary key, secret text)");
        await _tables.GrantAsync(privilege, table);
        var outcome = await RunAsync(ReconcileMode.Auto);
        Assert.Equal(ReconcileStatus.Failed, outcome.Status);
        Assert.Contains(named, outcome.Reason, StringComparison.Ordinal);
        Assert.Empty(await _fixture.AccountsAsync());
        await Assert.ThrowsAsync<ConfigurationException>(_bridge.StartAsync);
    }

    [Fact]
    public async Task Users_are_evaluated_from_the_database_and_none_is_read_by_id()
    {
        await _tables.CopyAsync(_fixture.Keycloak);
        var users = await _fixture.UserIdsAsync();
        await _bridge.StartAsync();
        _fixture.Keycloak.Server.Requests.Reset();

        await _bridge.Services.GetRequiredService<HintWriter>().WriteAsync(
            [.. users.Append("unknown").Select(id =>
                new UserHint(EmulatorFixture.Realm, id, HintKind.Changed, "REGISTER", HintSources.Webhook))],
            TestContext.Current.CancellationToken);

        await Eventually.TrueAsync(async () => (await _fixture.AccountsAsync()).Length == users.Length, "every user has an account");
        Assert.Equal(0, _fixture.Keycloak.Server.Requests["GET /admin/realms/{realm}/users/{id}"]);
        await Eventually.TrueAsync(
            () => _fixture.Database.ScalarAsync<bool>("select count(*) = 1 from user_hints"), "the unknown user is awaited");
        await _bridge.StopAsync();
    }

    [Fact]
    public async Task A_directory_user_is_evaluated_by_Keycloaks_answer_and_not_by_its_table()
    {
        await RunAsync(ReconcileMode.Database);
        var users = await _fixture.UserIdsAsync();
        var (disabled, removed) = (users[3], users[5]);
        _fixture.Realm.ChangeUser(disabled, user => user with { Enabled = false, FederationLink = "directory" });
        _fixture.Realm.ChangeUser(removed, user => user with { FederationLink = "directory" });
        await _tables.CopyAsync(_fixture.Keycloak);
        await _tables.ExecuteAsync("update user_entity set enabled = true");
        _fixture.Realm.RemoveUser(removed);
        await _bridge.StartAsync();
        await _bridge.Services.GetRequiredService<HintWriter>().WriteAsync(
            [
                new UserHint(EmulatorFixture.Realm, disabled, HintKind.Changed, "UPDATE", HintSources.Webhook),
                new UserHint(EmulatorFixture.Realm, removed, HintKind.Deleted, "DELETE", HintSources.Webhook),
            ],
            TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(
            () => _fixture.Database.ScalarAsync<bool>("select count(*) = 0 from user_hints"), "the hints are completed");
        Assert.Equal(["held", "closed"], await StatusesAsync(disabled, removed));

        Assert.Equal(ReconcileStatus.Done, (await RunAsItIsAsync()).Status);

        Assert.Equal(["held", "closed"], await StatusesAsync(disabled, removed));
        await _bridge.StopAsync();
    }

    [Fact]
    public async Task Since_leaves_older_users_alone()
    {
        await RunAsync(ReconcileMode.Database);
        _fixture.Realm.RemoveUser((await _fixture.UserIdsAsync())[3]);
        await _tables.CopyAsync(_fixture.Keycloak);
        var outcome = await ReconciliationFixture.RunAsync(
            _bridge, ReconciliationFixture.By(ReconcileMode.Database) with { Since = DateTimeOffset.UtcNow.AddHours(1) }, null,
            TestContext.Current.CancellationToken);
        Assert.Equal((ReconcileStatus.Done, 0L), (outcome.Status, outcome.Counts.NotShown));
    }

    [Fact]
    public async Task Every_user_that_was_seen_is_in_the_metric()
    {
        await RunAsync(ReconcileMode.Database);
        var seen = 0L;
        using var listener = new MeterListener();
        var meter = _bridge.Services.GetRequiredService<Meter>();
        listener.InstrumentPublished = (instrument, heard) =>
        {
            if (instrument.Meter == meter && instrument.Name == "bridge.reconciliation.seen")
                heard.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref seen, value));
        listener.Start();

        await RunAsync(ReconcileMode.Database);

        Assert.Equal(121, seen);
    }

    [Fact]
    public async Task An_open_account_of_a_service_account_is_closed_and_a_closed_one_is_no_difference()
    {
        await RunAsync(ReconcileMode.Database);
        await _fixture.Database.ExecuteAsync(
            """
            insert into user_credits (user_id, credits_remaining, realm, keycloak_id) select 'robot', 5, realm, 'robot'
                from keycloak_users limit 1;
            insert into credit_transactions (user_id, amount, transaction_type, grant_key) values ('robot', 5, 'purchase', 'signup');
            update keycloak_users set account_id = 'robot' where keycloak_id = 'robot'
            """);
        await RunAsync(ReconcileMode.Database);
        Assert.Equal(["closed"], await StatusesAsync("robot"));
        var before = await WrittenAsync();
        await RunAsync(ReconcileMode.Database);
        Assert.Equal(before, await WrittenAsync());
    }

    [Fact]
    public async Task Tables_of_another_form_are_refused()
    {
        await _tables.ExecuteAsync("alter table user_entity rename column service_account_client_link to link");
        var outcome = await RunAsItIsAsync();
        Assert.Equal(ReconcileStatus.Failed, outcome.Status);
        Assert.Contains("user_entity.service_account_client_link", outcome.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_realm_that_the_database_does_not_have_fails_the_run_and_closes_no_account()
    {
        await RunAsync(ReconcileMode.Database);
        await _tables.ExecuteAsync("update realm set name = 'other'");
        var outcome = await RunAsItIsAsync();
        Assert.Equal((ReconcileStatus.Failed, 0L), (outcome.Status, outcome.Counts.Closed));
    }

    private async Task<ReconcileOutcome> RunAsync(ReconcileMode mode)
    {
        await _tables.CopyAsync(_fixture.Keycloak);
        return await ReconciliationFixture.RunAsync(_bridge, ReconciliationFixture.By(mode), null, TestContext.Current.CancellationToken);
    }

    // With the tables as they are.
    private Task<ReconcileOutcome> RunAsItIsAsync() =>
        ReconciliationFixture.RunAsync(
            _bridge, ReconciliationFixture.By(ReconcileMode.Database), null, TestContext.Current.CancellationToken);

    private async Task<string[]> StatusesAsync(params string[] accounts)
    {
        List<string> found = [];
        foreach (var account in accounts)
            found.Add(
                await _fixture.Database.ScalarAsync<string>("select status from user_credits where user_id = @account", new { account })
                    ?? "none");
        return [.. found];
    }

    private Task<string?> WrittenAsync() => _fixture.Database.ScalarAsync<string>(
        """
        select (select sum(xmin::text::bigint) from user_credits) || ' ' || (select sum(xmin::text::bigint) from keycloak_users)
            || ' ' || (select count(*) from credit_transactions) || ' ' || (select count(*) from audit_logs)
        """);
}
