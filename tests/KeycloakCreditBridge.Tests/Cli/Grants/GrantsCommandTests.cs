using System.Globalization;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Grants;

[StartsPrograms]
public sealed class GrantsCommandTests(PostgresFixture postgres)
{
    private const int Width = 80;

    private const string AllocateSql =
        """
        with account as (
            update user_credits set credits_remaining = credits_remaining + 3, updated_at = updated_at + interval '1 second'
            returning user_id, updated_at)
        insert into credit_transactions (user_id, amount, transaction_type, metadata, created_at)
        select user_id, 3, 'bonus', jsonb_build_object('source', @Source, 'by', 'admin'), updated_at from account
        """;

    [Fact]
    public async Task A_grant_is_listed_moved_ended_and_shown_with_the_account()
    {
        await using var bundle = await PrepareAsync();

        var list = await RunAsync(bundle, "list", "ana@example.com");
        Assert.Equal((0, ""), (list.ExitCode, list.Error));
        Assert.Matches("^GRANTED +LEFT +OF +ENDS +KEY +WHY\n[0-9-]{10} +5.00 +5.00 +never +signup +initial_allocation\n$", list.Output);
        Assert.All(list.Output.Split('\n'), line => Assert.InRange(line.Length, 0, Width));

        var moved = await RunAsync(bundle, "extend", "ana", "signup", "--until", "2030-01-31", "--priority", "7");
        Assert.Equal(
            (0, "Grant signup of account id-of-ana: 5.00 left, ends 2030-01-31 00:00:00Z, priority 7.\n", ""),
            (moved.ExitCode, moved.Output, moved.Error));
        Assert.Contains(" signup, 5.00 left of 5.00, ends 2030-01-31 00:00:00Z, initial_allocation\n", await ShowAsync(bundle),
            StringComparison.Ordinal);
        var endless = await RunAsync(bundle, "extend", "ana", "signup", "--no-end", "--json");
        var grant = JsonNode.Parse(endless.Output)!;
        Assert.Equal((0, "id-of-ana", "signup", 5m, 7), (endless.ExitCode, (string)grant["account"]!, (string)grant["key"]!,
            (decimal)grant["remainder"]!, (int)grant["priority"]!));
        Assert.Null(grant["expiresAt"]);

        var ended = await RunAsync(bundle, "extend", "ana", "signup", "--until", "2020-01-01");
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains(" signup, 0.00 left of 5.00, expired ", await ShowAsync(bundle), StringComparison.Ordinal);
        var late = await RunAsync(bundle, "extend", "ana", "signup", "--no-end");
        Assert.Equal((1, ""), (late.ExitCode, late.Output));
        Assert.Contains("signup has ended or was closed: give a new grant", late.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Long_keys_stand_on_a_line_of_their_own_so_that_no_line_breaks()
    {
        await using var bundle = await PrepareAsync();
        await bundle.Database.ExecuteAsync(AllocateSql, new { Source = new string('s', 100) });

        var list = await RunAsync(bundle, "list", "ana");
        Assert.Equal((0, ""), (list.ExitCode, list.Error));
        Assert.Matches(
            "^GRANTED +LEFT +OF +ENDS +WHY\n  KEY\n[0-9-]{10} +3.00 +3.00 +never +s+[.]{3}\n  tx:[0-9a-f-]{36}\n"
                + "[0-9-]{10} +5.00 +5.00 +never +initial_allocation\n  signup\n$",
            list.Output);
        Assert.All(list.Output.Split('\n'), line => Assert.InRange(line.Length, 0, Width));
        var first = JsonNode.Parse((await RunAsync(bundle, "list", "ana", "--json")).Output.Split('\n')[0])!;
        Assert.Equal(100, ((string)first["reason"]!).Length);
    }

    [Fact]
    public async Task A_grant_is_voided_once_with_its_reason()
    {
        await using var bundle = await PrepareAsync();

        var done = await RunAsync(bundle, "void", "id-of-ana", "signup", "--reason", "abuse", "--json");
        Assert.Equal((0, ""), (done.ExitCode, done.Error));
        var answer = JsonNode.Parse(done.Output)!;
        Assert.Equal(
            ("id-of-ana", "signup", 5m, 0m),
            ((string)answer["account"]!, (string)answer["key"]!, (decimal)answer["taken"]!, (decimal)answer["balance"]!));
        var again = await RunAsync(bundle, "void", "id-of-ana", "signup", "--reason", "abuse");
        Assert.Equal((1, "", "Grant signup was voided before: a grant is voided once.\n"), (again.ExitCode, again.Output, again.Error));
        Assert.Equal("abuse command", await bundle.Database.ScalarAsync<string>(
            "select concat_ws(' ', metadata ->> 'note', metadata ->> 'by') from audit_logs where action = 'credit.void'"));
        var listed = JsonNode.Parse((await RunAsync(bundle, "list", "ana", "--json")).Output)!;
        Assert.Equal((0m, "void"), ((decimal)listed["remainder"]!, (string)listed["closeReason"]!));
    }

    [Theory]
    [InlineData(1, "There is no account of unknown", "list", "unknown")]
    [InlineData(1, "has no grant welcome: `grants list`", "void", "ana", "welcome", "--reason", "r")]
    [InlineData(1, "has no grant welcome: `grants list`", "extend", "ana", "welcome", "--no-end")]
    [InlineData(2, "--realm nowhere is not configured", "list", "ana", "--realm", "nowhere")]
    [InlineData(2, "--reason", "void", "ana", "signup")]
    [InlineData(2, "--reason takes 1 to 500 characters", "void", "ana", "signup", "--reason", "")]
    [InlineData(2, "more", "void", "ana", "signup", "--reason", "r", "--beyond", "more")]
    [InlineData(2, "Say what changes", "extend", "ana", "signup")]
    [InlineData(2, "exclude each other", "extend", "ana", "signup", "--no-end", "--until", "2030-01-01")]
    [InlineData(2, "--until tomorrow is not a date", "extend", "ana", "signup", "--until", "tomorrow")]
    [InlineData(2, "more than 10 years ahead", "extend", "ana", "signup", "--until", "2999-01-01")]
    [InlineData(2, "--priority 101 is no whole number from 0 to 100", "extend", "ana", "signup", "--priority", "101")]
    public async Task What_is_wrong_is_named(int exitCode, string problem, params string[] arguments)
    {
        await using var bundle = await PrepareAsync();
        var refused = await RunAsync(bundle, arguments);
        Assert.Equal((exitCode, ""), (refused.ExitCode, refused.Output));
        Assert.Contains(problem, refused.Error, StringComparison.Ordinal);
        Assert.Equal(5m, await bundle.Database.ScalarAsync<decimal>("select credits_remaining from user_credits"));
    }

    [Fact]
    public async Task Without_the_database_it_is_exit_code_3()
    {
        var settings = BridgeFixture.Settings(
            string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={FreePort.Next()};Username=x;Database=y"),
            new Uri($"http://127.0.0.1:{FreePort.Next()}"));
        var away = await CommandProcess.RunAsync(settings, "grants", "list", "ana");
        Assert.Equal((3, ""), (away.ExitCode, away.Output));
    }

    private async Task<ReconciliationFixture> PrepareAsync()
    {
        var bundle = await ReconciliationFixture.StartAsync(postgres);
        bundle.Realm.AddUser(new EmulatedUser("id-of-ana", "ana") { Email = "ana@example.com" });
        await bundle.RunAsync(ReconciliationFixture.AllUsers);
        return bundle;
    }

    private static async Task<string> ShowAsync(ReconciliationFixture bundle) =>
        (await CommandProcess.RunAsync(Settings(bundle), "account", "show", "ana")).Output;

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(ReconciliationFixture bundle, params string[] arguments) =>
        CommandProcess.RunAsync(Settings(bundle), ["grants", .. arguments]);

    private static Dictionary<string, string?> Settings(ReconciliationFixture bundle) =>
        BridgeFixture.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url);
}
