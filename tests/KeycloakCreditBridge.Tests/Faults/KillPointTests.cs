using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>
/// The real executable is killed at each step of each way of reading a realm, and the run resumes: the result equals that of an untouched
/// twin.
/// </summary>
[StartsPrograms]
public sealed class KillPointTests(ChangedRealmFixture realm) : IClassFixture<ChangedRealmFixture>
{
    internal const int Killed = 137;

    public static TheoryData<string, string> Steps
    {
        get
        {
            var steps = new TheoryData<string, string>();
            foreach (var mode in (string[])["counts", "windows", "list", "database"])
            {
                // So few users are one part of these readings.
                var part = mode is "counts" or "database" ? 1 : 2;
                foreach (var step in (string[])[$"read:{part}", $"reviewed:{part}", $"saved:{part}", "scanned", "closed"])
                    steps.Add(mode, step);
            }

            return steps;
        }
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_run_killed_at_any_step_resumes_to_the_result_of_an_undisturbed_run(string mode, string step)
    {
        await using var database = await realm.CopyAsync();

        var settings = realm.SettingsOf(database);
        KillPoint.Plant(settings, step);
        var (exitCode, _, error) = await CommandProcess.RunAsync(
            settings, "reconcile", "--mode", mode, "--allow-closing", "3", "--realm", EmulatorFixture.Realm);
        Assert.True(exitCode == Killed, $"It ended with {exitCode}: {error}");
        // Its lease would run out by itself.
        await database.ExecuteAsync("delete from leases");
        await realm.RunAsync(database, mode);

        Assert.Equal(await realm.BooksOfTwinAsync(mode), await ChangedRealmFixture.BooksAsync(database));
        Assert.Equal(3, await database.ScalarAsync<int>("select count(*)::int from user_credits where status = 'closed'"));
        Assert.Equal(68, await database.ScalarAsync<int>("select count(*)::int from user_credits"));
        // Counts that ended in one part compare anew; the others resume where they were, and see no user again.
        if ((mode is ("windows" or "list") && step == "saved:2") || (mode != "counts" && step is ("scanned" or "closed")))
            Assert.Equal(
                ["2 runs, 65 seen"],
                await database.QueryAsync<string>(
                    "select count(*) || ' runs, ' || (array_agg(seen order by id desc))[1] || ' seen' from reconcile_runs"));
    }
}

/// <summary>The real executable is killed while it lists a realm for users that no created window shows.</summary>
[StartsPrograms]
public sealed class OutsideCreatedWindowsKillTests(PostgresFixture postgres)
{
    private const int UserCount = 55;
    private const int NewOnAPage = 7;

    [Theory]
    [InlineData("read:5")]
    [InlineData("reviewed:6")]
    [InlineData("saved:7")]
    public async Task A_run_killed_in_the_list_resumes_there(string step)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        for (var number = 0; number < UserCount; number++)
            fixture.Realm.AddUser(new EmulatedUser($"no-date-{number}", $"no-date-{number}"));
        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Server.Url);
        KillPoint.Plant(settings, step);

        var (exitCode, _, error) = await CommandProcess.RunAsync(
            settings, "reconcile", "--mode", "windows", "--realm", EmulatorFixture.Realm);

        Assert.True(exitCode == KillPointTests.Killed, $"It ended with {exitCode}: {error}");
        var reached = await fixture.Database.ScalarAsync<long>("select position from reconcile_runs where phase <> ''");
        Assert.InRange(reached, 1, UserCount - 1);
        await fixture.Database.ExecuteAsync("delete from leases");
        fixture.Keycloak.Server.Requests.Reset();
        Assert.Equal(ReconcileStatus.Done, (await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows))).Status);

        // Besides it is asked what it can do.
        Assert.InRange(
            fixture.Keycloak.Server.Requests["GET /admin/realms/{realm}/users"], 1, ((UserCount - (int)reached) / NewOnAPage) + 3);
        await fixture.AssertAllUsersHaveAccountsAsync();
        Assert.Equal(
            UserCount, await fixture.Database.ScalarAsync<int>("select count(*)::int from credit_transactions where grant_key = 'signup'"));
    }
}

/// <summary>A realm with 60 users on record, of which three were deleted since, and eight new ones.</summary>
public sealed class ChangedRealmFixture(PostgresFixture postgres) : IAsyncLifetime
{
    private const string BooksSql =
        """
        select user_id || ' ' || status || ' ' || credits_remaining || ' ' || (
            select string_agg(transaction_type || ' ' || amount || ' ' || coalesce(grant_key, ''), ', ' order by transaction_type, amount)
            from credit_transactions t where t.user_id = c.user_id) || ' ' || (
            select string_agg(action, ', ' order by action) from audit_logs a where a.user_id = c.user_id)
        from user_credits c
        union all
        select keycloak_id || ' ' || user_state from keycloak_users
        order by 1
        """;

    private readonly Dictionary<string, IReadOnlyList<string>> _twins = new(StringComparer.Ordinal);
    private ReconciliationFixture _fixture = null!;
    private KeycloakTables _tables = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await ReconciliationFixture.StartAsync(postgres, users: 60);
        _tables = await KeycloakTables.CreateAsync(postgres);
        await using (var bridge = _fixture.NewBridge())
            await RunAsync(bridge, ReconciliationFixture.By(ReconcileMode.Windows));
        await ChangeAsync();
        await _tables.CopyAsync(_fixture.Keycloak);
    }

    /// <summary>The records before the change.</summary>
    internal Task<TestDatabase> CopyAsync() => postgres.CopyDatabaseAsync(_fixture.Database);

    internal Dictionary<string, string?> SettingsOf(TestDatabase database)
    {
        var settings = BridgeFixture.Settings(database.ConnectionString, _fixture.Keycloak.Server.Url);
        settings[_tables.Setting.Key] = _tables.Setting.Value;
        return settings;
    }

    internal async Task RunAsync(TestDatabase database, string mode)
    {
        await using var bridge = BridgeFixture.Build(SettingsOf(database));
        await RunAsync(bridge, ReconciliationFixture.By(mode) with { AllowClosing = 3 });
    }

    internal static Task<IReadOnlyList<string>> BooksAsync(TestDatabase database) => database.QueryAsync<string>(BooksSql);

    /// <summary>What stands where nothing happened to the run.</summary>
    internal async Task<IReadOnlyList<string>> BooksOfTwinAsync(string mode)
    {
        if (_twins.TryGetValue(mode, out var known))
            return known;
        await using var twin = await CopyAsync();
        await RunAsync(twin, mode);
        return _twins[mode] = await BooksAsync(twin);
    }

    public async ValueTask DisposeAsync()
    {
        await _tables.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    // At both ends and between.
    private async Task ChangeAsync()
    {
        var users = await _fixture.UserIdsAsync();
        foreach (var deleted in (string[])[users[0], users[30], users[59]])
            _fixture.Realm.RemoveUser(deleted);
        for (var number = 0; number < 8; number++)
        {
            _fixture.Realm.AddUser(new EmulatedUser($"new-{number}", $"user00000{number}5-new")
            {
                CreatedTimestamp = number < 4 ? 1_500_000_000_000 + number : DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + number,
            });
        }
    }

    private static async Task RunAsync(BridgeFixture bridge, RunRequest request) => Assert.Equal(
        ReconcileStatus.Done, (await ReconciliationFixture.RunAsync(bridge, request, null, TestContext.Current.CancellationToken)).Status);
}
