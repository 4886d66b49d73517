using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Hosting.Schedule;

/// <summary>Several installations, or several bridges with realms of their own, on one database.</summary>
public sealed class SharedDatabaseTests(PostgresFixture postgres)
{
    private const string Other = "store";
    private const string Done = "status = 'done' and trigger = 'schedule'";

    private static readonly (string, string?) Enabled = ("Reconciliation:Enabled", "true");
    private static readonly (string, string?) EverySecond = ("Reconciliation:Cron", "* * * * * ?");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Installations_in_two_schemas_have_a_schedule_each()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        await database.ExecuteAsync("create schema one; create schema \"Tenant-2\"");
        await using var keycloak = await EmulatorFixture.StartAsync();
        await keycloak.ImportAsync(Other, Realm());
        await using var one = await StartAsync(database, keycloak, ("Storage:ConnectionString", In(database, "one")));
        await using var two = await StartAsync(
            database, keycloak, ("Storage:ConnectionString", In(database, "\"Tenant-2\"")), ("Keycloak:Realms:0:Name", Other));

        await RunsAsync(database, $"one.reconcile_runs where realm = 'demo' and {Done}", 2);
        await RunsAsync(database, $"\"Tenant-2\".reconcile_runs where realm = 'store' and {Done}", 2);

        const string Jobs = "qrtz_job_details where job_group = 'reconcile'";
        Assert.Equal(["demo"], await database.QueryAsync<string>($"select job_name from one.{Jobs}"));
        Assert.Equal(["store"], await database.QueryAsync<string>($"select job_name from \"Tenant-2\".{Jobs}"));
        await Task.WhenAll(one.StopAsync(), two.StopAsync());
        Assert.DoesNotContain(one.Log.All.Concat(two.Log.All), line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Bridges_with_different_realms_in_one_schema_reconcile_each_its_own()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await keycloak.ImportAsync(Other, Realm());
        await using var one = await StartAsync(database, keycloak);
        await using var two = await StartAsync(database, keycloak, ("Keycloak:Realms:0:Name", Other));

        await RunsAsync(database, $"reconcile_runs where realm = 'demo' and {Done}", 3);
        await RunsAsync(database, $"reconcile_runs where realm = 'store' and {Done}", 3);

        await Task.WhenAll(one.StopAsync(), two.StopAsync());
        Assert.Equal(0, await database.ScalarAsync<int>("select count(*)::int from reconcile_runs where status = 'failed'"));
        Assert.DoesNotContain(one.Log.All.Concat(two.Log.All), line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_replica_of_an_older_configuration_takes_no_job_away()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await keycloak.ImportAsync(Other, Realm());
        await using var both = await StartAsync(database, keycloak, ("Keycloak:Realms:1:Name", Other), ("Periods:Enabled", "true"));
        await RunsAsync(database, $"reconcile_runs where realm = 'store' and {Done}", 1);

        await using var older = await StartAsync(database, keycloak);
        Assert.True(older.Log.Says(" 521 "), "the older one says which realms it leaves to others");
        var before = await database.ScalarAsync<int>($"select count(*)::int from reconcile_runs where realm = 'store' and {Done}");

        await RunsAsync(database, $"reconcile_runs where realm = 'store' and {Done}", before + 3);
        Assert.Equal(1, await database.ScalarAsync<int>("select count(*)::int from quartz.qrtz_job_details where job_group = 'periods'"));
        await Task.WhenAll(both.StopAsync(), older.StopAsync());
        Assert.Equal(0, await database.ScalarAsync<int>("select count(*)::int from reconcile_runs where status = 'failed'"));
    }

    [Fact]
    public async Task A_hint_waits_for_the_bridge_that_watches_its_realm()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await keycloak.ImportAsync(Other, Realm());
        keycloak.Server.Realm(Other).AddUser(new EmulatedUser("zoe", "zoe"));
        keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser("ana", "ana"));
        var now = TimeProvider.System.GetUtcNow();
        await new HintStore(database.DataSource).AddAsync(
            [Hint(Other, "zoe"), Hint(EmulatorFixture.Realm, "ana")], now, now, null, Token);

        await using (var one = await StartAsync(database, keycloak))
        {
            await RunsAsync(database, "user_credits where user_id = 'ana'", 1);
            await one.StopAsync();
        }

        Assert.Equal(
            ["store 0 "],
            await database.QueryAsync<string>("select realm || ' ' || attempts || ' ' || coalesce(error, '') from user_hints"));
        await using var two = await StartAsync(database, keycloak, ("Keycloak:Realms:0:Name", Other));
        await RunsAsync(database, "user_credits where user_id = 'zoe'", 1);
        await two.StopAsync();
    }

    private static UserHint Hint(string realm, string user) => new(realm, user, HintKind.Changed, "REGISTER", HintSources.Webhook);

    private static JsonObject Realm() => new()
    {
        ["clients"] = new JsonArray(EmulatorFixture.Client("credit-bridge")),
        ["users"] = new JsonArray(EmulatorFixture.ServiceAccount("credit-bridge", "view-events", "view-users")),
    };

    private static string In(TestDatabase database, string schema) => $"{database.ConnectionString};Search Path='{schema}'";

    private static async Task<BridgeFixture> StartAsync(
        TestDatabase database, EmulatorFixture keycloak, params (string, string?)[] settings)
    {
        var bridge = await BridgeFixture.Build(database, keycloak, [Enabled, EverySecond, .. settings]).StartAsync();
        await bridge.Services.GetRequiredService<QuartzHost>().WaitAsync(Token);
        return bridge;
    }

    private static Task RunsAsync(TestDatabase database, string from, int atLeast) => Eventually.TrueAsync(
        async () => await database.ScalarAsync<int>($"select count(*)::int from {from}") >= atLeast, $"{atLeast} rows of {from}");
}
