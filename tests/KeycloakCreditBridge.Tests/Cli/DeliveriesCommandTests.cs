using System.Text.Json;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli;

[StartsPrograms]
public sealed class DeliveriesCommandTests(PostgresFixture postgres)
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task List_shows_the_newest_first_each_on_one_line_and_show_has_the_body()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var rows = await PrepareAsync(database);

        var all = await RunAsync(database, "list");
        var failed = await RunAsync(database, "list", "--outcome", "failed", "--realm", "demo", "--json");
        var user = await RunAsync(database, "list", "--user", "ana", "--limit", "1");
        var shown = await RunAsync(database, "show", $"{rows[2].Id}");
        var unknown = await RunAsync(database, "show", $"{Guid.NewGuid()}");

        Assert.Equal((0, 0, 0, 0, 1), (all.ExitCode, failed.ExitCode, user.ExitCode, shown.ExitCode, unknown.ExitCode));
        Assert.Equal(
            [.. rows.Reverse().Select(row => $"{row.Id}")], Lines(all.Output).Skip(1).Select(line => line.Split(' ')[0]));
        Assert.Equal(
            ["refused", "not_stored"],
            Lines(failed.Output).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("outcome").GetString()));
        Assert.Equal(2, Lines(user.Output).Length);
        Assert.Contains(@"=cmd\u{A}", shown.Output, StringComparison.Ordinal);
        Assert.Contains("as `deliveries list` shows it", unknown.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replay_has_the_user_read_again_and_writes_an_audit_row()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var rows = await PrepareAsync(database);

        var replayed = await RunAsync(database, "replay", $"{rows[1].Id}", $"{rows[0].Id}", $"{rows[2].Id}", $"{rows[3].Id}", "--json");

        Assert.Equal(1, replayed.ExitCode);
        Assert.Equal(2, Lines(replayed.Output).Length);
        Assert.Contains("names no user that can be trusted", replayed.Error, StringComparison.Ordinal);
        Assert.Contains("batch of a poll", replayed.Error, StringComparison.Ordinal);
        Assert.Equal(
            [("ana", "changed"), ("ben", "deleted")],
            await database.QueryAsync<(string, string)>("select keycloak_id, kind from user_hints order by keycloak_id"));
        Assert.Equal(2, await database.ScalarAsync<long>("select count(*) from audit_logs where action = 'credit.delivery_replayed'"));
    }

    [Fact]
    public async Task Replay_of_all_failed_counts_first_and_then_enqueues_a_run_of_the_confirmed_number()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await PrepareAsync(database);
        string[] failed = ["replay", "--realm", "demo", "--failed-since", "2026-01-01"];

        var counted = await RunAsync(database, failed);
        var other = await RunAsync(database, [.. failed, "--confirm", "7"]);
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from reconcile_runs"));
        var started = await RunAsync(database, [.. failed, "--confirm", "1", "--json"]);
        var none = await RunAsync(database, "replay", "--realm", "other", "--failed-since", "2026-01-01");

        Assert.Equal((0, 1, 0), (counted.ExitCode, other.ExitCode, started.ExitCode));
        Assert.Equal("2 deliveries failed, of 1 users: add --confirm 1 to have these read again.\n", counted.Output);
        Assert.Contains("1 refused deliveries name no user", counted.Error, StringComparison.Ordinal);
        Assert.Contains("confirm this number", other.Error, StringComparison.Ordinal);
        Assert.Equal("No delivery of a known user failed: there is nothing to read again.\n", none.Output);
        Assert.Equal(
            ("waiting", "ben", true),
            Assert.Single(await database.QueryAsync<(string, string, bool)>(
                "select status, array_to_string(user_ids, ','), re_evaluate from reconcile_runs")));
        using var json = JsonDocument.Parse(started.Output);
        Assert.Equal(1, json.RootElement.GetProperty("run").GetInt64());
    }

    [Fact]
    public async Task Unproven_shows_the_counts_with_their_samples()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await new DeliveryStore(database.DataSource).CountAsync(
            [new UnprovenCount(Now, "demo", "signature_wrong", 12, """{"network":"10.1.2.3"}""")], Token);

        var (exitCode, output, _) = await RunAsync(database, "unproven");
        var json = await RunAsync(database, "unproven", "--json", "--realm", "demo");
        var none = await RunAsync(database, "unproven", "--realm", "other");

        Assert.Equal(0, exitCode);
        Assert.Contains("signature_wrong  12", output, StringComparison.Ordinal);
        Assert.Contains("\"network\":\"10.1.2.3\"", json.Output.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal("Every sender proved itself.\n", none.Output);
    }

    [Theory]
    [InlineData("Name the deliveries", "replay")]
    [InlineData("needs --realm", "replay", "--failed-since", "2026-01-01")]
    [InlineData("is not a date or instant", "list", "--since", "yesterday")]
    [InlineData("--limit 0", "list", "--limit", "0")]
    [InlineData("failed", "list", "--outcome", "lost")]
    public async Task Wrong_usage_ends_with_2_and_says_what_is_wrong(string says, params string[] arguments)
    {
        var (exitCode, _, error) = await CommandProcess.RunAsync([], ["deliveries", .. arguments]);

        Assert.Equal(2, exitCode);
        Assert.Contains(says, error, StringComparison.Ordinal);
    }

    private static async Task<RecordedDelivery[]> PrepareAsync(TestDatabase database)
    {
        RecordedDelivery[] rows =
        [
            Row(0, "ana", "webhook", "stored"),
            Row(1, "ben", "webhook", "not_stored") with { Kind = "deleted" },
            Row(2, null, "webhook", "refused") with { Reason = "malformed", Body = "=cmd\n\u001b[2J" },
            Row(3, null, "poll", "stored") with { Format = "user-events", Events = 3, Hints = 2 },
        ];
        await new DeliveryStore(database.DataSource).AddAsync(rows, Token);
        return rows;
    }

    private static RecordedDelivery Row(int number, string? user, string way, string outcome)
    {
        var id = Guid.CreateVersion7(Now.AddMilliseconds(number));
        return new RecordedDelivery(id, RecordedDelivery.TimeOf(id), "demo", way, outcome)
        {
            KeycloakId = user, Event = "REGISTER", Kind = user is null ? null : "seen",
        };
    }

    private static string[] Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(TestDatabase database, params string[] arguments) =>
        CommandProcess.RunAsync(
            new Dictionary<string, string?> { ["Storage:ConnectionString"] = database.ConnectionString }, ["deliveries", .. arguments]);
}
