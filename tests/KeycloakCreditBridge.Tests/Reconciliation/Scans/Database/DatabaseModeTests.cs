using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;

/// <summary>A realm read from Keycloak's own database.</summary>
public sealed class DatabaseModeTests(PostgresFixture postgres) : DatabaseTests(postgres)
{
    [Fact]
    public async Task It_is_chosen_where_it_is_configured_and_shows_every_user_once()
    {
        var outcome = await RunAsync(ReconcileMode.Auto);
        Assert.Equal((ReconcileStatus.Done, ReconcileMode.Database), (outcome.Status, outcome.Mode));
        Assert.Equal(new ReconcileCounts(Seen: 121, Missing: 121, Provisioned: 121), outcome.Counts);
        await Fixture.AssertAllUsersHaveAccountsAsync();
        Assert.Equal(new ReconcileCounts(Seen: 121), (await RunAsync(ReconcileMode.Auto)).Counts);
    }

    [Fact]
    public async Task A_user_that_was_created_deleted_disabled_or_lost_the_account_is_found()
    {
        await RunAsync(ReconcileMode.Database);
        var users = await Fixture.UserIdsAsync();
        var (deleted, disabled, broken) = (users[3], users[50], users[100]);
        Fixture.Realm.RemoveUser(deleted);
        Fixture.Realm.ChangeUser(disabled, user => user with { Enabled = false });
        Fixture.Realm.AddUser(new EmulatedUser("0-first", "first"));
        Fixture.Realm.AddUser(new EmulatedUser("z-last", "last"));
        await Fixture.Database.ExecuteAsync("delete from user_credits where user_id = @broken", new { broken });

        var outcome = await RunAsync(ReconcileMode.Database);

        Assert.Equal((122L, 3L, 1L, 1L), (outcome.Counts.Seen, outcome.Counts.Provisioned, outcome.Counts.NotShown, outcome.Counts.Closed));
        Assert.Equal(["closed", "held", "active", "active", "active"], await StatusesAsync(deleted, disabled, broken, "0-first", "z-last"));
        Assert.Equal(new ReconcileCounts(Seen: 122), (await RunAsync(ReconcileMode.Database)).Counts);
    }

    [Fact]
    public async Task More_than_the_share_are_closed_only_when_an_operator_allows_it()
    {
        await RunAsync(ReconcileMode.Database);
        foreach (var deleted in (await Fixture.UserIdsAsync())[..5])
            Fixture.Realm.RemoveUser(deleted);
        var asked = await RunAsync(ReconcileMode.Database);
        Assert.Equal((true, 5L, 0L), (asked.NeedsOperator, asked.Counts.NotShown, asked.Counts.Closed));
        var allowed = await ReconciliationFixture.RunAsync(
            Bridge, ReconciliationFixture.By(ReconcileMode.Database) with { AllowClosing = 5 }, null,
            TestContext.Current.CancellationToken);
        Assert.Equal((false, 5L), (allowed.NeedsOperator, allowed.Counts.Closed));
    }

    [Fact]
    public async Task Federated_users_without_import_are_found_by_the_list()
    {
        Fixture.Realm.AddToDirectory(new EmulatedUser("f:component:ana", "ana"));
        Assert.Equal(122, (await RunAsync(ReconcileMode.Database)).Counts.Provisioned);
        await Fixture.AssertAllUsersHaveAccountsAsync();
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
        await Tables.ExecuteAsync("delete from user_entity where username = 'user0000007'");
        var outcome = await RunAsItIsAsync();
        Assert.Equal((1L, 0L), (outcome.Counts.NotShown, outcome.Counts.Closed));
        Assert.Equal(0, await Fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits where status <> 'active'"));
    }

    [Fact]
    public async Task Users_are_evaluated_from_the_database_and_none_is_read_by_id()
    {
        await Tables.CopyAsync(Fixture.Keycloak);
        var users = await Fixture.UserIdsAsync();
        await Bridge.StartAsync();
        Fixture.Keycloak.Server.Requests.Reset();

        await Bridge.Services.GetRequiredService<HintWriter>().WriteAsync(
            [.. users.Append("unknown").Select(id =>
                new UserHint(EmulatorFixture.Realm, id, HintKind.Changed, "REGISTER", HintSources.Webhook))],
            TestContext.Current.CancellationToken);

        await Eventually.TrueAsync(async () => (await Fixture.AccountsAsync()).Length == users.Length, "every user has an account");
        Assert.Equal(0, Fixture.Keycloak.Server.Requests["GET /admin/realms/{realm}/users/{id}"]);
        await Eventually.TrueAsync(
            () => Fixture.Database.ScalarAsync<bool>("select count(*) = 1 from user_hints"), "the unknown user is awaited");
        await Bridge.StopAsync();
    }

    [Fact]
    public async Task A_directory_user_is_evaluated_by_Keycloaks_answer_and_not_by_its_table()
    {
        await RunAsync(ReconcileMode.Database);
        var users = await Fixture.UserIdsAsync();
        var (disabled, removed) = (users[3], users[5]);
        Fixture.Realm.ChangeUser(disabled, user => user with { Enabled = false, FederationLink = "directory" });
        Fixture.Realm.ChangeUser(removed, user => user with { FederationLink = "directory" });
        await Tables.CopyAsync(Fixture.Keycloak);
        await Tables.ExecuteAsync("update user_entity set enabled = true");
        Fixture.Realm.RemoveUser(removed);
        await Bridge.StartAsync();
        await Bridge.Services.GetRequiredService<HintWriter>().WriteAsync(
            [
                new UserHint(EmulatorFixture.Realm, disabled, HintKind.Changed, "UPDATE", HintSources.Webhook),
                new UserHint(EmulatorFixture.Realm, removed, HintKind.Deleted, "DELETE", HintSources.Webhook),
            ],
            TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(
            () => Fixture.Database.ScalarAsync<bool>("select count(*) = 0 from user_hints"), "the hints are completed");
        Assert.Equal(["held", "closed"], await StatusesAsync(disabled, removed));

        Assert.Equal(ReconcileStatus.Done, (await RunAsItIsAsync()).Status);

        Assert.Equal(["held", "closed"], await StatusesAsync(disabled, removed));
        await Bridge.StopAsync();
    }

    [Fact]
    public async Task Since_leaves_older_users_alone()
    {
        await RunAsync(ReconcileMode.Database);
        Fixture.Realm.RemoveUser((await Fixture.UserIdsAsync())[3]);
        await Tables.CopyAsync(Fixture.Keycloak);
        var outcome = await ReconciliationFixture.RunAsync(
            Bridge, ReconciliationFixture.By(ReconcileMode.Database) with { Since = DateTimeOffset.UtcNow.AddHours(1) }, null,
            TestContext.Current.CancellationToken);
        Assert.Equal((ReconcileStatus.Done, 0L), (outcome.Status, outcome.Counts.NotShown));
    }

    [Fact]
    public async Task Every_user_that_was_seen_is_in_the_metric()
    {
        await RunAsync(ReconcileMode.Database);
        var seen = 0L;
        using var listener = new MeterListener();
        var meter = Bridge.Services.GetRequiredService<Meter>();
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
        await Fixture.Database.ExecuteAsync(
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

    private async Task<string[]> StatusesAsync(params string[] accounts)
    {
        List<string> found = [];
        foreach (var account in accounts)
            found.Add(
                await Fixture.Database.ScalarAsync<string>("select status from user_credits where user_id = @account", new { account })
                    ?? "none");
        return [.. found];
    }

    private Task<string?> WrittenAsync() => Fixture.Database.ScalarAsync<string>(
        """
        select (select sum(xmin::text::bigint) from user_credits) || ' ' || (select sum(xmin::text::bigint) from keycloak_users)
            || ' ' || (select count(*) from credit_transactions) || ' ' || (select count(*) from audit_logs)
        """);
}
