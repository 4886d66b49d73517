using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Doctor;

[StartsPrograms]
public sealed class DoctorCommandTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // No bridge runs here, and no webhook leads to one.
    private static readonly string[] NeedABridge = ["deliveries", "webhook", "webhook delivery"];

    [Fact]
    public async Task Without_a_running_bridge_only_its_delivery_is_reported()
    {
        await using var bundle = await PrepareAsync();

        var found = await FindAsync(Settings(bundle));

        Assert.Equal(
            NeedABridge.Order(StringComparer.Ordinal),
            found.Where(item => item.Verdict != "ok").Select(item => item.Check).Order(StringComparer.Ordinal));
        Assert.True(found.Count >= 22);
    }

    [Theory]
    [InlineData("events stored", "FAIL", """{"eventsEnabled": false}""")]
    [InlineData("admin events stored", "FAIL", """{"adminEventsEnabled": false}""")]
    [InlineData("event types", "FAIL", """{"enabledEventTypes": ["LOGIN", "UPDATE_PROFILE"]}""")]
    [InlineData("event types", "warn", """{"enabledEventTypes": ["REGISTER", "DELETE_ACCOUNT", "LOGIN"]}""")]
    [InlineData("event types", "warn",
        """{"enabledEventTypes": ["REGISTER", "LOGIN", "UPDATE_PROFILE", "UPDATE_EMAIL", "VERIFY_EMAIL", "DELETE_ACCOUNT"]}""")]
    [InlineData("event retention", "FAIL", """{"eventsExpiration": 300}""")]
    [InlineData("event listener", "warn", """{"eventsListeners": ["jboss-logging"]}""")]
    public async Task A_realm_set_up_wrongly_is_found(string check, string verdict, string settings)
    {
        await using var bundle = await PrepareAsync();
        await bundle.Keycloak.SendAsync(
            "PUT", $"admin/realms/{EmulatorFixture.Realm}", await bundle.Keycloak.AdminTokenAsync(), JsonNode.Parse(settings));

        await AssertOnlyAsync(Settings(bundle), check, verdict);
    }

    [Theory]
    [InlineData("webhook secret", "warn", "Keycloak:Realms:0:WebhookSecrets:0", null)]
    [InlineData("token", "FAIL", "Keycloak:ClientSecret", "wrong")]
    [InlineData("token", "FAIL", "Keycloak:Realms:0:Name", "nowhere")]
    public async Task A_wrong_setting_is_found(string check, string verdict, string key, string? value)
    {
        await using var bundle = await PrepareAsync();
        var settings = Settings(bundle);
        settings[key] = value;

        Assert.Equal(verdict, (await FindAsync(settings)).First(found => found.Check == check).Verdict);
    }

    [Theory]
    [InlineData("Hints:Readers", "0", "token", "ok")]
    [InlineData("Kaycloak:Url", "http://x", "token", "ok")]
    [InlineData("Keycloak:Url", "nonsense", "keycloak", "warn")]
    [InlineData("Storage:ConnectionString", "nonsense", "database", "warn")]
    public async Task A_mistake_in_the_configuration_hides_only_what_needs_it(string key, string value, string check, string verdict)
    {
        await using var bundle = await PrepareAsync();
        var settings = Settings(bundle);
        settings[key] = value;

        var found = await FindAsync(settings);

        Assert.Contains(found, item => item.Check == "configuration" && item.Verdict == "FAIL");
        Assert.Equal(verdict, found.Single(item => item.Check == check).Verdict);
        Assert.Contains(found, item => item.Check is "dead hints" or "users" && item.Verdict == "ok");
    }

    [Theory]
    [InlineData("http://sso.invalid", "warn")]
    [InlineData("https://sso.invalid", "ok")]
    public async Task A_Keycloak_that_is_reached_unencrypted_is_found(string url, string verdict)
    {
        await using var bundle = await PrepareAsync();
        var settings = Settings(bundle);
        settings["Keycloak:Url"] = url;

        Assert.Equal(verdict, (await FindAsync(settings)).Single(found => found.Check == "Keycloak's address").Verdict);
    }

    [Fact]
    public async Task A_missing_role_hides_no_other_check()
    {
        await using var bundle = await PrepareAsync();
        var settings = Settings(bundle);
        settings["Keycloak:ClientId"] = "query-only";

        var found = await FindAsync(settings);

        Assert.Contains("view-users", found.Single(item => item.Check == "users").Message, StringComparison.Ordinal);
        foreach (var check in new[] { "events", "admin events", "events stored", "event listener" })
            Assert.Contains("view-events", found.Single(item => item.Check == check).Message, StringComparison.Ordinal);
        Assert.Equal("ok", found.Single(item => item.Check == "clock").Verdict);
    }

    [Theory]
    [InlineData(-120, "warn")]
    [InlineData(600, "FAIL")]
    public async Task A_clock_that_is_wrong_is_found(int seconds, string verdict)
    {
        await using var bundle = await PrepareAsync();
        bundle.Keycloak.Server.Faults.ClockOffset = TimeSpan.FromSeconds(seconds);

        await AssertOnlyAsync(Settings(bundle), "clock", verdict);
    }

    [Fact]
    public async Task A_Keycloak_without_an_event_store_is_named_with_its_cure()
    {
        await using var bundle = await PrepareAsync();
        await using var trap = await EventStoreTrap.StartAsync(bundle.Keycloak.Server.Url);
        var settings = Settings(bundle);
        settings["Keycloak:Url"] = trap.Url.ToString();

        var found = await FindAsync(settings);

        foreach (var check in new[] { "events", "admin events" })
            Assert.Contains(
                "KC_SPI_EVENTS_STORE__PROVIDER=jpa", found.Single(item => item.Check == check).Message, StringComparison.Ordinal);
        Assert.Equal("ok", found.Single(item => item.Check == "events stored").Verdict);
    }

    [Fact]
    public async Task Late_and_dead_hints_and_an_overdue_reconciliation_are_found()
    {
        await using var bundle = await PrepareAsync();
        var (store, now) = (new HintStore(bundle.Database.DataSource), TimeProvider.System.GetUtcNow());
        await store.AddAsync([Hint("dead")], now, now, null, Token);
        var dead = Assert.Single(await store.ClaimAsync(1, now, now, null, Token));
        await store.PostponeAsync([new PostponedHint(dead, now, 10, Dead: true, "bad\nluck")], Token);
        await store.AddAsync([Hint("late")], now.AddMinutes(-5), now, null, Token);
        await bundle.Database.ExecuteAsync("update reconcile_runs set ended_at = now() - interval '25 hours'");

        var (exitCode, output, _) = await CommandProcess.RunAsync(Settings(bundle), "doctor");

        Assert.Equal(1, exitCode);
        string[] starts = ["FAIL  dead hints: 1 hints are dead", "warn  late hints: 1 hints wait", "warn  reconciliation of demo: last "];
        foreach (var start in starts)
            Assert.Single(Lines(output), line => line.StartsWith(start, StringComparison.Ordinal));
        Assert.Contains(@"bad\u{A}luck", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unmigrated_schema_and_missing_privileges_are_found()
    {
        await using var bundle = await PrepareAsync();
        await using var empty = await postgres.CreateEmptyDatabaseAsync();
        var settings = Settings(bundle);
        settings["Storage:ConnectionString"] = empty.ConnectionString;

        var (_, output, _) = await CommandProcess.RunAsync(settings, "doctor");
        Assert.Single(Lines(output), line => line == "FAIL  schema: the schema is not migrated: run `KeycloakCreditBridge migrate`");
        foreach (var silent in new[] { "privileges", "hints", "reconciliation", "POSITION" })
            Assert.DoesNotContain(silent, output, StringComparison.Ordinal);

        var role = $"doctor_{Guid.NewGuid():N}";
        await bundle.Database.ExecuteAsync($"create role {role}; grant select on all tables in schema public to {role}");
        settings["Storage:ConnectionString"] = $"{bundle.Database.ConnectionString};Options=-c role={role}";
        var lacking = (await FindAsync(settings)).Single(item => item.Check == "privileges");
        await bundle.Database.ExecuteAsync($"drop owned by {role}; drop role {role}");
        Assert.Equal("FAIL", lacking.Verdict);
        Assert.Contains("insert on user_credits", lacking.Message, StringComparison.Ordinal);
        Assert.Contains("create on schema quartz", lacking.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_unreachable_server_is_exit_code_1_and_both_are_3()
    {
        await using var bundle = await PrepareAsync();
        var settings = Settings(bundle);
        settings["Storage:ConnectionString"] = $"Host=127.0.0.1;Port={FreePort.Next()};Username=x;Database=y";

        var one = await CommandProcess.RunAsync(settings, "doctor");
        settings["Keycloak:Url"] = $"http://127.0.0.1:{FreePort.Next()}";
        var both = await CommandProcess.RunAsync(settings, "doctor");

        Assert.Equal((1, 3), (one.ExitCode, both.ExitCode));
        Assert.Contains("\nFAIL  database: PostgreSQL: ", one.Output, StringComparison.Ordinal);
        Assert.Contains("\nok    users of demo: ", one.Output, StringComparison.Ordinal);
    }

    private async Task<ReconciliationFixture> PrepareAsync()
    {
        var bundle = await ReconciliationFixture.StartAsync(postgres);
        await bundle.RunAsync(ReconciliationFixture.AllUsers);
        return bundle;
    }

    private static UserHint Hint(string user) => new(EmulatorFixture.Realm, user, HintKind.Changed, "REGISTER", HintSources.Webhook);

    private static Dictionary<string, string?> Settings(ReconciliationFixture bundle)
    {
        var settings = BridgeFixture.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url);
        settings["Intake:Poll:Enabled"] = "true";
        settings["Keycloak:Realms:0:WebhookSecrets:0"] = "webhook-secret";
        return settings;
    }

    private static async Task AssertOnlyAsync(Dictionary<string, string?> settings, string check, string verdict)
    {
        var wrong = Assert.Single(await FindAsync(settings), item => item.Verdict != "ok" && !NeedABridge.Contains(item.Check));
        Assert.Equal((check, verdict), (wrong.Check, wrong.Verdict));
        Assert.NotNull(wrong.Cure);
    }

    private static async Task<IReadOnlyList<Line>> FindAsync(Dictionary<string, string?> settings)
    {
        var (exitCode, output, _) = await CommandProcess.RunAsync(settings, "doctor", "--json");
        List<Line> found = [.. Lines(output).Select(line => JsonSerializer.Deserialize<Line>(line, JsonSerializerOptions.Web)!)];
        Assert.Equal(found.Exists(item => item.Verdict == "FAIL") ? 1 : 0, exitCode);
        return found;
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private sealed record Line(string Verdict, string Check, string? Realm, string Message, string? Cure);
}
