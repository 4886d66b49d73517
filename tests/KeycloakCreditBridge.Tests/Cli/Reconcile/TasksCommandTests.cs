using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Reconcile;

[StartsPrograms]
public sealed class TasksCommandTests(PostgresFixture postgres)
{
    private const string Realm = EmulatorFixture.Realm;

    private static readonly (string Key, string? Value)[] Tasks =
    [
        ("Grants:Tasks:profile:Evidence:Profile:0", "company"), ("Grants:Tasks:profile:Credits", "2"),
    ];

    [Fact]
    public async Task A_dry_run_counts_and_the_run_pays_once_what_became_true_without_an_event()
    {
        await using var fixture = await PrepareAsync();
        fixture.Keycloak.Server.Requests.Reset();
        var dry = await RunAsync(fixture, "--dry-run");
        Assert.Equal(
            (0, $"{Realm}: 3 users may still earn credits by a task (dry run, Keycloak was not asked)\n", ""),
            (dry.ExitCode, dry.Output, dry.Error));
        Assert.Empty(fixture.Keycloak.Server.Requests.All);
        Assert.Equal(0, await PaidAsync(fixture));

        var paid = await RunAsync(fixture, "--realm", Realm);
        Assert.Equal(
            (0, $"{Realm}: 3 users with an undone task read, 1 grants paid, 0 failed\n", ""), (paid.ExitCode, paid.Output, paid.Error));
        Assert.Equal(2m, await PaidAsync(fixture));

        var again = await RunAsync(fixture, "--json");
        var line = JsonNode.Parse(again.Output)!.AsObject();
        Assert.Equal(["realm", "dryRun", "users", "paid", "failed", "problems"], line.Select(member => member.Key));
        Assert.Equal(
            (0, Realm, false, 2L, 0L, 0L),
            (again.ExitCode, (string)line["realm"]!, (bool)line["dryRun"]!, (long)line["users"]!, (long)line["paid"]!,
                (long)line["failed"]!));
        Assert.Equal(2m, await PaidAsync(fixture));
    }

    [Fact]
    public async Task A_realm_that_another_process_reads_is_exit_code_1()
    {
        await using var fixture = await PrepareAsync();
        await fixture.Database.ExecuteAsync(
            "insert into leases (name, owner, held_until) values ('tasks:' || @Realm, 'other', now() + interval '1 hour')", new { Realm });

        var refused = await RunAsync(fixture);

        Assert.Equal(
            (1, "", $"{Realm}: another process reads users with undone tasks now.\n"), (refused.ExitCode, refused.Output, refused.Error));
        Assert.Equal(0, await PaidAsync(fixture));
    }

    [Theory]
    [InlineData("--tasks cannot be combined with --since", "--since", "2026-01-01")]
    [InlineData("--tasks cannot be combined with --user", "--user", "ana")]
    [InlineData("--tasks cannot be combined with --mode", "--mode", "list")]
    [InlineData("--tasks cannot be combined with --allow-closing", "--allow-closing", "3")]
    [InlineData("--realm nowhere is not configured", "--realm", "nowhere")]
    public async Task Wrong_options_are_exit_code_2(string problem, params string[] arguments)
    {
        await using var fixture = await PrepareAsync();
        var refused = await RunAsync(fixture, arguments);
        Assert.Equal((2, ""), (refused.ExitCode, refused.Output));
        Assert.Contains(problem, refused.Error, StringComparison.Ordinal);
        Assert.Equal(0, await PaidAsync(fixture));
    }

    // Three users with accounts from after the task's first activation; one of them names a company, which no event tells.
    private async Task<ReconciliationFixture> PrepareAsync()
    {
        var fixture = await ReconciliationFixture.StartAsync(postgres, users: 3);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, Tasks);
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);
        fixture.Realm.ChangeUser((await fixture.UserIdsAsync())[1], user => user with
        {
            Attributes = new Dictionary<string, IReadOnlyList<string>> { ["company"] = ["Acme"] },
        });
        return fixture;
    }

    private static Task<decimal> PaidAsync(ReconciliationFixture fixture) => fixture.Database.ScalarAsync<decimal>(
        "select coalesce(sum(amount), 0) from credit_transactions where grant_key = 'task:profile'");

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(
        ReconciliationFixture fixture, params string[] arguments)
    {
        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Server.Url);
        foreach (var (key, value) in Tasks)
            settings[key] = value;
        return CommandProcess.RunAsync(settings, ["reconcile", "--tasks", .. arguments]);
    }
}
