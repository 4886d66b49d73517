using Dapper;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>A real executable hangs while it has work in its hands, another does the work, and the first goes on where it hung.</summary>
[StartsPrograms]
public sealed class ReplicaTests
{
    private const string UserRequest = "GET /admin/realms/{realm}/users/{id}";
    private const int Readers = 8;

    // What one worker claims at once.
    private const string HintSql =
        """
        insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at)
        select 'demo', id, nextval('user_hints_version'), 'webhook', 'USER-UPDATE', @Kind, now(), now()
        from unnest(@Users) as u (id)
        """;

    private const string RecordsSql =
        """
        select concat_ws(' ', 'account', user_id, status, credits_remaining, updated_at) from user_credits
        union all
        select concat_ws(' ', 'entry', user_id, transaction_type, amount, grant_key, created_at) from credit_transactions
        union all
        select concat_ws(' ', 'audit', user_id, action, timestamp) from audit_logs
        union all
        select concat_ws(' ', 'known', keycloak_id, user_state, checked_at) from keycloak_users
        union all
        select concat_ws(' ', 'run', to_jsonb(r)) from reconcile_runs r
        order by 1
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replica_that_hangs_with_a_claim_and_wakes_up_does_nothing_twice()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        // Not reported, as no bridge runs yet.
        var users = await Task.WhenAll(Enumerable.Range(0, 20).Select(number => fixture.CreateUserAsync($"user-{number}")));
        await using var hung = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.HintsOnly);
        fixture.Keycloak.Faults.Delay("/admin/realms/demo/users/*", Readers, TimeSpan.FromSeconds(4));
        await HintAsync(fixture, users, "changed");
        await Eventually.TrueAsync(
            () => fixture.Keycloak.Requests[UserRequest] >= Readers, "the hung one asks for the first users that it claimed");
        await hung.SuspendAsync();

        await using (var other = await BridgeProcess.StartAsync(FaultFixture.NewUrl(), fixture.HintsOnly))
        {
            await Eventually.TrueAsync(
                async () => await fixture.AccountsAsync() == 20 && await fixture.HintsAsync() == 0, "the other takes the hints over");
            // The answers that wait for the hung one are wrong by now.
            fixture.Keycloak.Realm(FaultFixture.Realm).RemoveUser(users[0]);
            foreach (var user in users[1..])
                fixture.Keycloak.Realm(FaultFixture.Realm).ChangeUser(user, user => user with { Enabled = false });
            await HintAsync(fixture, users[..1], "deleted");
            await HintAsync(fixture, users[1..], "changed");
            await Eventually.TrueAsync(
                async () => await fixture.CountAsync("user_credits where status = 'held'") == 19 && await fixture.HintsAsync() == 0,
                "they are held");
            Assert.True(await other.TerminateAsync());
        }

        await AssertWakesUpAndChangesNothingAsync(fixture, hung);
        Assert.Equal(1, await fixture.CountAsync("user_credits where status = 'closed'"));
        Assert.Equal(21, await fixture.CountAsync("audit_logs where action = 'credit.create'"));
        Assert.Equal(19, await fixture.CountAsync("audit_logs where action = 'credit.hold'"));
        Assert.Equal(21, await fixture.CountAsync("credit_transactions"));
    }

    [Fact]
    public async Task A_replica_that_hangs_in_the_middle_of_converging_opens_nothing_beside_the_one_that_took_over()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        await using var hung = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.HintsOnly);
        await using var blocker = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using (var transaction = await blocker.BeginTransactionAsync(Token))
        {
            await blocker.ExecuteAsync("lock table user_credits in share row exclusive mode");
            await fixture.CreateUserAsync("ana");
            await Eventually.TrueAsync(async () => await WaitingAsync(fixture) == 1, "one converges");
            await hung.SuspendAsync();
            await using var other = await BridgeProcess.StartAsync(FaultFixture.NewUrl(), fixture.HintsOnly);
            await Eventually.TrueAsync(async () => await WaitingAsync(fixture) == 2, "two converge the same user");
            await transaction.CommitAsync(Token);
            await Eventually.TrueAsync(
                async () => await fixture.AccountsAsync() == 1 && await fixture.HintsAsync() == 0, "the hint is completed");
            await Eventually.TrueAsync(async () => await WaitingAsync(fixture) == 0, "both have ended");
            Assert.True(await other.TerminateAsync());
        }

        await AssertWakesUpAndChangesNothingAsync(fixture, hung);
        Assert.Equal(2, await fixture.CountAsync("audit_logs where action = 'credit.create'"));
    }

    [Fact]
    public async Task A_replica_that_hangs_in_a_reconciliation_writes_nothing_into_the_run_that_another_took_over()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        fixture.Keycloak.Realm(FaultFixture.Realm).AddUsers(100);
        var settings = new Dictionary<string, string>(fixture.HintsOnly, StringComparer.Ordinal)
        {
            ["Reconciliation:Enabled"] = "true",
            ["Reconciliation:WindowUsers"] = "10",
        };
        // It hangs while parts are asked for, long before the last one, and finds their answers when it wakes up.
        fixture.Keycloak.Faults.Delay("/admin/realms/demo/users", 4, TimeSpan.FromMilliseconds(100));
        fixture.Keycloak.Faults.Delay("/admin/realms/demo/users", 1000, TimeSpan.FromSeconds(5));
        await using var hung = await BridgeProcess.StartAsync(fixture.BridgeUrl, settings);
        await Eventually.TrueAsync(
            async () => await fixture.CountAsync("reconcile_runs where status = 'running' and seen >= 20") == 1,
            "the first run is under way");
        await hung.SuspendAsync();
        fixture.Keycloak.Faults.Reset();
        var owner = await fixture.Database.ScalarAsync<string>("select owner from reconcile_runs");
        await fixture.Database.ExecuteAsync("update leases set held_until = now() - interval '1 second'");

        var (exitCode, output, error) = await CommandProcess.RunAsync(
            FaultFixture.Optional(settings), "reconcile", "--realm", FaultFixture.Realm);
        Assert.True(exitCode == 0, $"It ended with {exitCode}: {output}{error}");
        Assert.Equal(100, await fixture.AccountsAsync());
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>(
            "select count(*)::int from reconcile_runs where status = 'done' and seen = 100 and owner <> @Owner", new { Owner = owner }));
        var records = await RecordsAsync(fixture);
        await hung.ResumeAsync();
        await Eventually.TrueAsync(
            () => hung.Log.Contains("Reconciling realm demo failed", StringComparison.Ordinal), "the woken one notices and ends");
        Assert.Equal(records, await RecordsAsync(fixture));
    }

    // The next account is opened behind the batch that the worker hung in.
    private static async Task AssertWakesUpAndChangesNothingAsync(FaultFixture fixture, BridgeProcess hung)
    {
        var before = await fixture.AccountsAsync();
        var records = await RecordsAsync(fixture);
        await hung.ResumeAsync();
        var last = await fixture.CreateUserAsync("last");
        await Eventually.TrueAsync(
            async () => await fixture.AccountsAsync() == before + 1 && await fixture.HintsAsync() == 0, "the woken one works");
        Assert.Equal(records, (await RecordsAsync(fixture)).Where(line => !line.Contains(last, StringComparison.Ordinal)));
    }

    private static async Task HintAsync(FaultFixture fixture, string[] users, string kind) =>
        Assert.Equal(users.Length, await fixture.Database.ExecuteAsync(HintSql, new { Users = users, Kind = kind }));

    private static Task<int> WaitingAsync(FaultFixture fixture) => fixture.Database.WaitingAsync("hint_version)");

    private static Task<IReadOnlyList<string>> RecordsAsync(FaultFixture fixture) => fixture.Database.QueryAsync<string>(RecordsSql);
}
