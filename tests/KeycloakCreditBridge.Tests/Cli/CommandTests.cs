using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli;

[StartsPrograms]
public sealed class CommandTests(PostgresFixture postgres)
{
    private static readonly Dictionary<string, string?> Nothing = [];

    [Theory]
    [InlineData("--bogus", "reconcile", "--bogus")]
    [InlineData("yesterday", "reconcile", "--since", "yesterday")]
    [InlineData("reconsile", "reconsile")]
    [InlineData("--set Keycloak:Url", "run", "--set", "Keycloak:Url")]
    public async Task Wrong_usage_goes_to_standard_error_with_exit_code_2(string said, params string[] arguments)
    {
        var (exitCode, output, error) = await CommandProcess.RunAsync(Nothing, arguments);

        Assert.Equal((2, ""), (exitCode, output));
        Assert.Contains(said, error, StringComparison.Ordinal);
        AssertNoStackTrace(error);
    }

    [Theory]
    [InlineData("run")]
    [InlineData("reconcile")]
    [InlineData("migrate")]
    public async Task A_configuration_that_cannot_be_used_is_exit_code_2(string command)
    {
        var (exitCode, output, error) = await CommandProcess.RunAsync(Nothing, command);

        Assert.Equal((2, ""), (exitCode, output));
        Assert.Contains("Storage:ConnectionString", error, StringComparison.Ordinal);
        Assert.Equal(command != "migrate", error.Contains("Keycloak:Url", StringComparison.Ordinal));
        AssertNoStackTrace(error);
    }

    [Fact]
    public async Task A_secrets_file_that_cannot_be_read_is_exit_code_2_and_one_line()
    {
        var (exitCode, _, error) = await CommandProcess.RunAsync(
            [KeyValuePair.Create("Keycloak__ClientSecret_FILE", (string?)"/nowhere/secret")], "run");

        Assert.Equal(2, exitCode);
        Assert.Contains("Keycloak__ClientSecret_FILE", Assert.Single(Lines(error)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("migrate")]
    [InlineData("reconcile")]
    public async Task An_unreachable_database_is_exit_code_3_and_one_line(string command)
    {
        var settings = BridgeFixture.Settings(
            $"Host=127.0.0.1;Port={FreePort.Next()};Username=x;Database=y", new Uri("http://127.0.0.1:9"));

        var (exitCode, _, error) = await CommandProcess.RunAsync(settings, command);

        Assert.Equal(3, exitCode);
        Assert.StartsWith("PostgreSQL: ", Assert.Single(Lines(error)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unreachable_Keycloak_is_exit_code_3_and_one_line()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var settings = BridgeFixture.Settings(database.ConnectionString, new Uri($"http://127.0.0.1:{FreePort.Next()}"));

        var (exitCode, output, error) = await CommandProcess.RunAsync(settings, "reconcile");

        Assert.Equal(3, exitCode);
        Assert.StartsWith("demo: failed: 0 seen", output, StringComparison.Ordinal);
        Assert.Single(Lines(error), line => line.StartsWith("demo: failed: ", StringComparison.Ordinal));
        AssertNoStackTrace(error);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_exit_code_2_and_one_line_that_names_it()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var settings = BridgeFixture.Settings(
            $"Host=127.0.0.1;Port={FreePort.Next()};Username=x;Database=y", new Uri("http://127.0.0.1:9"));
        settings["Urls"] = $"http://{taken.LocalEndpoint}";

        var (exitCode, output, error) = await CommandProcess.RunAsync(settings, "run");

        Assert.Equal(2, exitCode);
        Assert.StartsWith($"The bridge cannot listen on {settings["Urls"]}: ", Assert.Single(Lines(error)), StringComparison.Ordinal);
        AssertNoStackTrace(output);
    }

    [Fact]
    public async Task Migrate_prepares_an_empty_database_without_Keycloak()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();

        var first = await CommandProcess.RunAsync(
            [KeyValuePair.Create("Storage:ConnectionString", (string?)database.ConnectionString)], "migrate");
        var second = await CommandProcess.RunAsync(
            [KeyValuePair.Create("Storage:ConnectionString", (string?)database.ConnectionString)], "migrate");
        var json = await CommandProcess.RunAsync(
            [KeyValuePair.Create("Storage:ConnectionString", (string?)database.ConnectionString)], "migrate", "--json");

        Assert.Equal((0, 0, 0, """{"applied":0}"""), (first.ExitCode, second.ExitCode, json.ExitCode, json.Output.Trim()));
        Assert.Contains("Applied", first.Output, StringComparison.Ordinal);
        Assert.Contains("nothing was applied", second.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reconcile_creates_missing_accounts_and_reports_them()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 25);

        var dry = await RunAsync(bundle, "reconcile", "--dry-run");
        var real = await RunAsync(bundle, "reconcile", "--realm", "demo");
        var json = await RunAsync(bundle, "backfill", "--json");

        Assert.Equal((0, 0, 0), (dry.ExitCode, real.ExitCode, json.ExitCode));
        Assert.Contains("dry run", dry.Output, StringComparison.Ordinal);
        Assert.StartsWith(
            "demo: done by windows: 25 seen, 25 missing, 25 provisioned, 0 not shown, 0 closed, 0 failed, ", real.Output,
            StringComparison.Ordinal);
        Assert.Contains("demo: reading the first of 25 users", real.Error, StringComparison.Ordinal);
        using var result = JsonDocument.Parse(Assert.Single(Lines(json.Output)));
        Assert.Equal(
            (25, 0), (result.RootElement.GetProperty("seen").GetInt32(), result.RootElement.GetProperty("provisioned").GetInt32()));
        Assert.Empty(json.Error);
        await bundle.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task A_user_that_does_not_exist_is_exit_code_1_and_a_realm_that_is_not_configured_2()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres);
        bundle.Realm.AddUser(new EmulatedUser("alice", "alice"));

        var user = await RunAsync(bundle, "backfill", "--user", "alice", "--user", "unknown");
        var realm = await RunAsync(bundle, "reconcile", "--realm", "shop");

        Assert.Equal((1, 2), (user.ExitCode, realm.ExitCode));
        Assert.Contains("'unknown'", user.Error, StringComparison.Ordinal);
        Assert.Contains("--realm shop is not configured: Keycloak:Realms has demo.", realm.Error, StringComparison.Ordinal);
        Assert.Equal(["alice"], await bundle.AccountsAsync());
    }

    [Fact]
    public async Task A_secret_that_Keycloak_refuses_is_exit_code_2_and_a_realm_at_work_1()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres);
        var wrong = Settings(bundle);
        wrong["Keycloak:ClientSecret"] = "not-the-secret";

        var refused = await CommandProcess.RunAsync(wrong, "reconcile");
        await bundle.Database.ExecuteAsync(
            "insert into leases (name, owner, held_until) values ('reconcile:demo', 'another', '2999-01-01')");
        var busy = await RunAsync(bundle, "reconcile");

        Assert.Equal((2, 1), (refused.ExitCode, busy.ExitCode));
        Assert.DoesNotContain("not-the-secret", refused.Error + refused.Output, StringComparison.Ordinal);
        Assert.Contains("already running", busy.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TERM", 130)]
    [InlineData("KILL", 137)]
    public async Task A_stopped_or_killed_command_is_resumed_by_the_same_command(string signal, int expected)
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 55);
        var pages = $"/{EmulatorFixture.Users}";
        // Three or four questions come before the first window, and no window has more than a quarter of the users.
        bundle.Keycloak.Server.Faults.Delay(pages, 6, TimeSpan.Zero);
        bundle.Keycloak.Server.Faults.Hang(pages, 1000);
        using var command = CommandProcess.Start(Settings(bundle), "reconcile");
        await Eventually.TrueAsync(
            async () => await bundle.Database.ScalarAsync<long?>("select max(seen) from reconcile_runs") > 0,
            "a window is done, and it will stand still at another");

        await command.SignalAsync(signal);
        Assert.Equal(expected, await command.EndAsync());
        bundle.Keycloak.Server.Faults.Reset();
        await bundle.Database.ExecuteAsync("update leases set held_until = now() - interval '1 second'");
        var (exitCode, output, _) = await RunAsync(bundle, "reconcile");

        Assert.Equal(0, exitCode);
        Assert.StartsWith("demo: done by windows: 55 seen, ", output, StringComparison.Ordinal);
        Assert.Equal(1, await bundle.Database.ScalarAsync<int>("select count(*)::int from reconcile_runs"));
        await bundle.AssertAllUsersHaveAccountsAsync();
        if (signal == "TERM")
            Assert.Contains("the same reconcile command within a day resumes", command.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_service_logs_JSON_with_event_ids_and_ends_cleanly_when_told_to()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres);
        using var service = CommandProcess.Start(Settings(bundle), "run", "--set", "Logs:Format=Json");
        await Eventually.TrueAsync(() => service.Output.Contains("schema is current", StringComparison.Ordinal), "the service is ready");

        await service.SignalAsync("TERM");

        Assert.Equal(0, await service.EndAsync());
        Assert.Empty(service.Error);
        var lines = Lines(service.Output).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Contains(lines, line =>
            line.GetProperty("Properties").TryGetProperty("EventId", out var id) && id.GetProperty("Id").GetInt32() == 700);
    }

    private static Dictionary<string, string?> Settings(ReconciliationFixture bundle) =>
        BridgeFixture.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url);

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(ReconciliationFixture bundle, params string[] arguments) =>
        CommandProcess.RunAsync(Settings(bundle), arguments);

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static void AssertNoStackTrace(string error) => Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
}
