using System.Text.Json;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Storage;

/// <summary>The roles of docs/install/postgresql.md, made by the statements that stand there.</summary>
[StartsPrograms]
public sealed class PostgresRolesTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_role_migrates_and_another_runs_everything_with_no_more_than_doctor_checks()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser("ana", "ana"));
        var (owner, app) = ($"owner_{database.Name}", $"app_{database.Name}");
        await database.ExecuteAsync(ScriptOf(owner, app));
        try
        {
            var asOwner = BridgeFixture.Settings(As(owner, "secret-of-the-owner"), keycloak.Server.Url);
            var migrated = await CommandProcess.RunAsync(asOwner, "migrate", "--grant-to", app);
            Assert.Equal((0, ""), (migrated.ExitCode, migrated.Error));

            var asApp = BridgeFixture.Settings(As(app, "secret-of-the-service"), keycloak.Server.Url);
            asApp["Storage:MigrateOnStart"] = "false";
            Assert.Equal("ok", (await PrivilegesAsync(asApp)).Verdict);
            await WorkAsync(database, keycloak, asApp);
            foreach (var command in (string[][])[
                ["reconcile"], ["backfill", "--user", "ana"], ["hints", "list"], ["hints", "retry", "--all-dead"],
                ["hints", "drop", "--realm", "demo", "--user", "zoe"], ["account", "show", "ana"], ["usage", "refusals", "list"],
                ["deliveries", "list"], ["deliveries", "unproven"], ["analytics", "rebuild"], ["analytics", "funnel"]])
            {
                var (_, output, error) = await CommandProcess.RunAsync(asApp, command);
                Assert.DoesNotContain("permission denied", output + error, StringComparison.Ordinal);
            }

            await AssertDaysAsync(database, As(app, "secret-of-the-service"));

            var released = await CommandProcess.RunAsync(asApp, "migrate", "--before-lots");
            Assert.Equal(1, released.ExitCode);
            Assert.Contains("does not own the tables: run `migrate --before-lots` as", released.Error, StringComparison.Ordinal);
            Assert.Equal(0, (await CommandProcess.RunAsync(asOwner, "migrate", "--before-lots")).ExitCode);

            await database.ExecuteAsync($"revoke insert on user_credits from {app}");
            var (verdict, message) = await PrivilegesAsync(asApp);
            Assert.Equal("FAIL", verdict);
            Assert.Contains($"grant insert on user_credits to \"{app}\"", message, StringComparison.Ordinal);
            var refused = await CommandProcess.RunAsync(asApp, "migrate", "--grant-to", app);
            Assert.Equal(2, refused.ExitCode);
            Assert.Contains("as the owner", refused.Error, StringComparison.Ordinal);

            await database.ExecuteAsync($"revoke insert on replicas from {app}");
            await using var bridge = await BridgeFixture.Build(asApp).StartAsync();
            await Eventually.TrueAsync(
                () => Task.FromResult(bridge.Log.All.Any(line =>
                    line.Contains("cannot show itself", StringComparison.Ordinal)
                    && line.Contains("run `KeycloakCreditBridge migrate --grant-to ROLE`", StringComparison.Ordinal))),
                "the log names the statement to run");
            await bridge.StopAsync();
        }
        finally
        {
            await database.ExecuteAsync(
                $"select pg_terminate_backend(pid) from pg_stat_activity where usename in ('{owner}', '{app}');"
                + $"drop owned by {app}; drop owned by {owner}; drop role {app}; drop role {owner}");
        }

        string As(string role, string password) =>
            new NpgsqlConnectionStringBuilder(database.ConnectionString) { Username = role, Password = password }.ConnectionString;
    }

    [Theory]
    [InlineData("revoke create on schema public from {0}", "grant usage, create on schema public to ROLE")]
    [InlineData("drop schema quartz", "create schema quartz authorization ROLE")]
    public async Task What_the_migrating_role_lacks_is_answered_with_the_statement_to_run(string fault, string cure)
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        var (owner, app) = ($"owner_{database.Name}", $"app_{database.Name}");
        await database.ExecuteAsync(ScriptOf(owner, app));
        await database.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, fault, owner));
        try
        {
            var connection = new NpgsqlConnectionStringBuilder(database.ConnectionString)
            {
                Username = owner, Password = "secret-of-the-owner",
            };
            var (exitCode, _, error) = await CommandProcess.RunAsync(
                [KeyValuePair.Create("Storage:ConnectionString", (string?)connection.ConnectionString)], "migrate");

            Assert.Equal(2, exitCode);
            Assert.Contains(cure, error, StringComparison.Ordinal);
        }
        finally
        {
            await database.ExecuteAsync(
                $"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{owner}';"
                + $"drop owned by {app}; drop owned by {owner}; drop role {app}; drop role {owner}");
        }
    }

    // The service with all its loops, each purge, a period's end and the routes of credits.
    private static async Task WorkAsync(TestDatabase database, EmulatorFixture keycloak, Dictionary<string, string?> settings)
    {
        await using var bridge = await BridgeFixture.Build(
            settings, ("Reconciliation:Enabled", "true"), ("Reconciliation:Cron", "* * * * * ?"), ("Periods:Enabled", "true"),
            ("Periods:Cron", "* * * * * ?"), ("Intake:Poll:Enabled", "true"), ("Intake:Poll:IdleInterval", "00:00:01")).StartAsync();
        await EventuallyAsync("user_credits where user_id = 'ana'");
        await database.ExecuteAsync(
            "update user_credits set created_at = now() - interval '31 days', last_reset = now() - interval '1 day'");
        await EventuallyAsync("credit_transactions where grant_key like 'reset:%'");
        keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser("ben", "ben"));
        await EventuallyAsync("user_credits where user_id = 'ben'");
        foreach (var purge in bridge.Services.GetServices<IHostedService>().OfType<Purge>())
            await purge.PurgeAsync(Token);
        await bridge.StopAsync();
        Assert.DoesNotContain(bridge.Log.All, line => line.Contains("42501", StringComparison.Ordinal));
        Assert.DoesNotContain(bridge.Log.All, line => line.Contains("permission denied", StringComparison.Ordinal));

        Task EventuallyAsync(string from) => Eventually.TrueAsync(
            async () => await database.ScalarAsync<int>($"select count(*)::int from {from}") > 0,
            $"there are {from}");
    }

    // The first block of the page; roles are of the whole server, so each test has its own.
    private static string ScriptOf(string owner, string app) =>
        File.ReadAllText(Path.Combine(Repository.Top, "docs", "install", "postgresql.md")).Split("```sql\n")[1].Split("```")[0]
            .Replace("bridge_owner", owner, StringComparison.Ordinal).Replace("bridge_app", app, StringComparison.Ordinal);

    // The role makes and drops days of deliveries by the owner's functions, and nothing else; a role that was not granted them cannot.
    private static async Task AssertDaysAsync(TestDatabase database, string asApp)
    {
        await using var app = NpgsqlDataSource.Create($"{asApp};Pooling=false");
        var store = new DeliveryStore(app);
        var now = TimeProvider.System.GetUtcNow();
        await store.MakeDaysAsync(now.AddDays(-20), Token);
        await store.MakeDaysAsync(now, Token);
        Assert.Equal(
            5, await store.DropDaysAsync(DateOnly.FromDateTime(now.UtcDateTime).AddDays(-7), Token));
        Assert.Equal(5, await database.ScalarAsync<long>("select count(*) from pg_inherits where inhparent = 'deliveries'::regclass"));
        await using var drop = app.CreateCommand("drop table deliveries");
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => drop.ExecuteNonQueryAsync(Token));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
        Assert.False(await database.ScalarAsync<bool>(
            """
            select bool_or(a.grantee = 0) from pg_proc p, aclexplode(p.proacl) a
            where p.proname in ('credit_make_delivery_days', 'credit_drop_delivery_days', 'credit_require_lots')
                or starts_with(p.proname, 'credit_event_') or p.proname in ('credit_write_events', 'credit_switch_events')
            """));
    }

    private static async Task<(string? Verdict, string Message)> PrivilegesAsync(Dictionary<string, string?> settings)
    {
        var (_, output, _) = await CommandProcess.RunAsync(settings, "doctor", "--json");
        var line = output.Split('\n').Single(item => item.Contains("\"privileges\"", StringComparison.Ordinal));
        using var json = JsonDocument.Parse(line);
        return (
            json.RootElement.GetProperty("verdict").GetString(),
            JsonSerializer.Serialize(json).Replace("\\u0022", "\"", StringComparison.Ordinal));
    }
}
