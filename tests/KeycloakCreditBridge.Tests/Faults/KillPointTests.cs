using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Operations;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>
/// The real executable kills itself at each step of each way of reading a realm, and runs on: what stands then is what a twin has that
/// nothing happened to.
/// </summary>
public sealed class KillPointTests(PostgresServer postgres)
{
    private const int Killed = 137;

    private const string BooksSql =
        """
        select user_id || ' ' || status || ' ' || credits_remaining || ' ' || (
            select string_agg(transaction_type || ' ' || amount || ' ' || coalesce(grant_key, ''), ', ' order by transaction_type, amount)
            from credit_transactions t where t.user_id = c.user_id) || ' ' || (
            select string_agg(action, ', ' order by action) from audit_logs a where a.user_id = c.user_id)
        from user_credits c
        union all
        select keycloak_id || ' ' || disposition from keycloak_users
        order by 1
        """;

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
    public async Task Who_is_killed_at_a_step_runs_on_to_what_an_untouched_twin_has(string mode, string step)
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 60);
        await using var twin = await postgres.CreateDatabaseAsync();
        await using var tables = await KeycloakTables.CreateAsync(postgres);
        await using var untouched = BridgeHost.Build(twin, bundle.Keycloak, tables.Setting);
        await using var bridge = BridgeHost.Build(bundle.Database, bundle.Keycloak, tables.Setting);
        foreach (var host in (BridgeHost[])[untouched, bridge])
            await RunAsync(host, ReconcileBundle.By(ReconcileMode.Windows));
        await ChangeAsync(bundle);
        await tables.CopyAsync(bundle.Keycloak);
        var request = ReconcileBundle.By(mode) with { AllowClosing = 3 };
        await RunAsync(untouched, request);

        await KillAsync(bundle, tables, mode, step);
        await RunAsync(bridge, request);

        Assert.Equal(await twin.QueryAsync<string>(BooksSql), await bundle.Database.QueryAsync<string>(BooksSql));
        Assert.Equal(3, await twin.ScalarAsync<int>("select count(*)::int from user_credits where status = 'closed'"));
        Assert.Equal(68, await twin.ScalarAsync<int>("select count(*)::int from user_credits"));
        // Counts that ended in one part compare anew; the others go on where they were, and see nobody again.
        if ((mode is ("windows" or "list") && step == "saved:2") || (mode != "counts" && step is ("scanned" or "closed")))
            Assert.Equal(["2 runs, 65 seen"], await bundle.Database.QueryAsync<string>("select count(*) || ' runs, ' || (array_agg(seen order by id desc))[1] || ' seen' from reconcile_runs"));
    }

    private static async Task KillAsync(ReconcileBundle bundle, KeycloakTables tables, string mode, string step)
    {
        var settings = BridgeHost.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url);
        settings[tables.Setting.Key] = tables.Setting.Value;
        settings["CREDIT_BRIDGE_KILL_AT"] = step;
        var (exitCode, _, error) = await CommandProcess.RunAsync(
            settings, "reconcile", "--mode", mode, "--allow-closing", "3", "--realm", EmulatorDriver.Realm);
        Assert.True(exitCode == Killed, $"It ended with {exitCode}: {error}");
        // Its lease would run out by itself.
        await bundle.Database.ExecuteAsync("delete from leases");
    }

    // Eight come and three go, at both ends and between.
    private static async Task ChangeAsync(ReconcileBundle bundle)
    {
        var people = await bundle.PeopleAsync();
        foreach (var gone in (string[])[people[0], people[30], people[59]])
            bundle.Realm.RemoveUser(gone);
        for (var number = 0; number < 8; number++)
        {
            bundle.Realm.AddUser(new EmulatedUser($"new-{number}", $"user00000{number}5-new")
            {
                CreatedTimestamp = number < 4 ? 1_500_000_000_000 + number : DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + number,
            });
        }
    }

    private static async Task RunAsync(BridgeHost bridge, ReconcileRequest request) => Assert.Equal(
        ReconcileStatus.Done, (await ReconcileBundle.RunAsync(bridge, request, null, TestContext.Current.CancellationToken)).Status);
}
