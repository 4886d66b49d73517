using System.Text.Json;
using KeycloakCreditBridge.Cli;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Cli.Hints;

[StartsPrograms]
public sealed class HintsCommandTests(PostgresFixture postgres)
{
    private const string HostileId = "eve\n\u001b[2Jfake  row\u202e";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task List_shows_dead_hints_first_each_on_one_line()
    {
        await using var database = await PrepareAsync();

        var all = await RunAsync(database, "list");
        var dead = await RunAsync(database, "list", "--dead", "--json");
        var few = await RunAsync(database, "list", "--waiting", "--realm", "demo", "--limit", "1");

        Assert.Equal((0, 0, 0), (all.ExitCode, dead.ExitCode, few.ExitCode));
        var lines = Lines(all.Output);
        Assert.Equal(5, lines.Length);
        Assert.StartsWith("STATE", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("dead", lines[1], StringComparison.Ordinal);
        Assert.EndsWith("Keycloak answered 418", lines[1], StringComparison.Ordinal);
        Assert.Contains(lines, line => line.Contains(@"eve\u{A}\u{1B}[2Jfake  row\u{202E}", StringComparison.Ordinal));
        using var json = JsonDocument.Parse(Assert.Single(Lines(dead.Output)));
        Assert.Equal(
            ("ana", "dead", 10),
            (json.RootElement.GetProperty("keycloakId").GetString(), json.RootElement.GetProperty("state").GetString(),
                json.RootElement.GetProperty("attempts").GetInt32()));
        Assert.Equal(2, Lines(few.Output).Length);
        Assert.StartsWith("1 more: ", few.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_says_that_there_are_no_hints()
    {
        await using var database = await postgres.CreateDatabaseAsync();

        Assert.Equal((0, "There are no waiting or dead hints.\n", ""), await RunAsync(database, "list"));
        Assert.Equal((0, "There are no dead hints in realm demo.\n", ""), await RunAsync(database, "list", "--dead", "--realm", "demo"));
        Assert.Equal((0, "", ""), await RunAsync(database, "list", "--json"));
    }

    [Fact]
    public async Task Retry_makes_a_dead_hint_due_under_a_new_version_and_wakes_the_workers()
    {
        await using var database = await PrepareAsync();
        await using var listener = await database.DataSource.OpenConnectionAsync(Token);
        await using var listen = new NpgsqlCommand($"listen {HintStore.Channel}", listener);
        await listen.ExecuteNonQueryAsync(Token);
        var before = await database.ScalarAsync<long>("select max(version) from user_hints");

        var (exitCode, output, _) = await RunAsync(database, "retry", "--all-dead");

        Assert.Equal(0, exitCode);
        Assert.StartsWith("1 hints are due now", output, StringComparison.Ordinal);
        Assert.True(await listener.WaitAsync(TimeSpan.FromMinutes(1), Token));
        Assert.True(await database.ScalarAsync<long>("select version from user_hints where keycloak_id = 'ana'") > before);
        var claimed = await new HintStore(database.DataSource).ClaimAsync(
            10, TimeProvider.System.GetUtcNow(), TimeProvider.System.GetUtcNow(), null, Token);
        Assert.Equal(1, Assert.Single(claimed, hint => hint.KeycloakId == "ana").Attempts);
    }

    [Fact]
    public async Task A_worker_that_held_a_hint_before_its_retry_completes_nothing()
    {
        await using var database = await PrepareAsync();
        var store = new HintStore(database.DataSource);
        var now = TimeProvider.System.GetUtcNow();
        var held = await store.ClaimAsync(10, now, now.AddMinutes(1), null, Token);

        Assert.Equal(
            (0, "{\"keycloakId\":\"ben\"}\n", ""), await RunAsync(database, "retry", "--realm", "demo", "--user", "ben", "--json"));
        await store.PostponeAsync(
            [.. held.Select(hint => new PostponedHint(hint, now.AddDays(1), 10, Dead: true, "too late"))], Token);

        var state = await database.ScalarAsync<string>(
            "select state || ' ' || attempts from user_hints where realm = 'demo' and keycloak_id = 'ben'");
        Assert.Equal("waiting 0", state);
    }

    [Fact]
    public async Task Drop_deletes_exactly_the_named_users_hints_and_writes_an_audit_row()
    {
        await using var database = await PrepareAsync();

        var (exitCode, output, error) = await RunAsync(database, "drop", "--realm", "demo", "--user", "ben", "--user", "BEN");

        Assert.Equal(1, exitCode);
        Assert.Contains("not evaluated until", Assert.Single(Lines(output)), StringComparison.Ordinal);
        Assert.Contains("no hint of user BEN", Assert.Single(Lines(error)), StringComparison.Ordinal);
        Assert.Equal(3, await database.ScalarAsync<int>("select count(*)::int from user_hints"));
        var audit = await database.QueryAsync<string>(
            "select user_id || ' ' || action || ' ' || (metadata ->> 'realm') || ' ' || (metadata ->> 'cause') from audit_logs");
        Assert.Equal(["ben credit.hint_dropped demo REGISTER"], audit);
    }

    [Theory]
    [InlineData("--user ID", "hints", "retry")]
    [InlineData("--all-dead", "hints", "retry", "--user", "ana", "--all-dead")]
    [InlineData("--realm", "hints", "drop", "--user", "ana")]
    [InlineData("--user", "hints", "drop", "--realm", "demo")]
    [InlineData("--dead", "hints", "list", "--dead", "--waiting")]
    [InlineData("--limit", "hints", "list", "--limit", "0")]
    public async Task Wrong_usage_is_exit_code_2(string said, params string[] arguments)
    {
        var (exitCode, output, error) = await CommandProcess.RunAsync([], arguments);

        Assert.Equal((2, ""), (exitCode, output));
        Assert.Contains(said, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_is_not_migrated_is_said_in_one_line()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();

        var (exitCode, _, error) = await RunAsync(database, "list");

        Assert.Equal(2, exitCode);
        Assert.Contains("KeycloakCreditBridge migrate", Assert.Single(Lines(error)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Zoë 李 😀", "Zoë 李 😀")]
    [InlineData("a\tb\r\nc\u2028d\u200fe\0", @"a\u{9}b\u{D}\u{A}c\u{2028}d\u{200F}e\u{0}")]
    public void Text_of_others_stays_on_one_line(string text, string expected) => Assert.Equal(expected, Printable.Of(text));

    private async Task<TestDatabase> PrepareAsync()
    {
        var database = await postgres.CreateDatabaseAsync();
        var now = TimeProvider.System.GetUtcNow();
        var store = new HintStore(database.DataSource);
        await store.AddAsync([Hint("ana")], now, now, null, Token);
        var ana = Assert.Single(await store.ClaimAsync(1, now, now, null, Token));
        await store.PostponeAsync([new PostponedHint(ana, now, 10, Dead: true, "Keycloak answered 418")], Token);
        await store.AddAsync([Hint("ben"), Hint("ben", "shop"), Hint(HostileId)], now, now, null, Token);
        return database;
    }

    private static UserHint Hint(string user, string realm = "demo") => new(realm, user, HintKind.Changed, "REGISTER", HintSources.Webhook);

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(TestDatabase database, params string[] arguments) =>
        CommandProcess.RunAsync(
            [KeyValuePair.Create("Storage:ConnectionString", (string?)database.ConnectionString)], ["hints", .. arguments]);

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
