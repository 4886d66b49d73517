using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Grants;

/// <summary>Policies as an operator looks after them, with the real executable.</summary>
[StartsPrograms]
public sealed class PolicyCommandTests(PostgresFixture postgres)
{
    private static readonly (string, string)[] Trial =
    [
        ("Grants:Welcome:Credits", "8"), ("Grants:Welcome:Before", "1"), ("Grants:Welcome:Requires:0", "email_verified"),
        ("Grants:Welcome:ExpiresAfter", "30.00:00:00"),
    ];

    [Fact]
    public async Task What_an_account_was_given_and_what_it_lacks_is_explained()
    {
        await using var bundle = await PrepareAsync("ana");
        await RunAsync(bundle, Trial, "reconcile");

        var explained = await RunAsync(bundle, Trial, "grants", "explain", "ana");
        Assert.Equal((0, ""), (explained.ExitCode, explained.Error));
        Assert.Matches(
            "^signup: 1.00 credits given [^,]+, 1.00 left, by policy welcome [0-9a-f]{12}; ends [^\n]+\n"
            + "welcome: 7.00 credits, missing email_verified\n$", explained.Output);

        Verify(bundle, "ana");
        await RunAsync(bundle, Trial, "reconcile");
        string[] lines = (await RunAsync(bundle, Trial, "grants", "explain", "ana", "--json")).Output.TrimEnd().Split('\n');
        var welcome = JsonNode.Parse(Assert.Single(lines, line => line.Contains("\"welcome\",\"amount\"", StringComparison.Ordinal)))!;
        Assert.Equal(
            ("id-of-ana", 7m, "given", 7m, true),
            ((string)welcome["account"]!, (decimal)welcome["amount"]!, (string)welcome["state"]!, (decimal)welcome["remainder"]!,
                (bool)welcome["evidence"]!["email_verified"]!));
        Assert.Contains(
            "can earn nothing more", (await RunAsync(bundle, Trial, "grants", "explain", "ana")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_policy_is_extended_to_older_accounts_only_as_far_as_is_confirmed()
    {
        await using var bundle = await PrepareAsync("ana", "ben");
        await RunAsync(bundle, [], "reconcile");
        Verify(bundle, "ana");
        string[] apply = ["grants", "apply", "--policy", "welcome", "--created-after", "2020-01-01"];
        var early = await RunAsync(bundle, Trial, [.. apply, "--max-credits", "100"]);
        Assert.Equal((1, ""), (early.ExitCode, early.Output));
        Assert.Contains("is not active in realm demo", early.Error, StringComparison.Ordinal);

        bundle.Realm.AddUser(new EmulatedUser("id-of-cem", "cem"));
        await RunAsync(bundle, Trial, "reconcile");
        Assert.Equal("ana 5, ben 5, cem 1", await BalancesAsync(bundle));
        var counted = await RunAsync(bundle, Trial, [.. apply, "--max-credits", "100"]);
        Assert.Equal(
            (0, "Policy welcome would concern 2 accounts of realm demo, which can earn at most 6.00 credits. "
                + "Add --confirm 2 to apply it.\n", ""),
            (counted.ExitCode, counted.Output, counted.Error));
        var less = await RunAsync(bundle, Trial, [.. apply, "--max-credits", "100", "--confirm", "1"]);
        Assert.Equal((1, "Nothing was done: --confirm says 1, and these are 2 accounts.\n"), (less.ExitCode, less.Error));
        var dear = await RunAsync(bundle, Trial, [.. apply, "--max-credits", "5.99", "--confirm", "2"]);
        Assert.Equal((1, "Nothing was done: that is more than --max-credits 5.99.\n"), (dear.ExitCode, dear.Error));
        await RunAsync(bundle, Trial, "reconcile");
        Assert.Equal("ana 5, ben 5, cem 1", await BalancesAsync(bundle));

        var applied = await RunAsync(bundle, Trial, [.. apply, "--max-credits", "6", "--confirm", "2", "--json"]);
        Assert.Equal((0, ""), (applied.ExitCode, applied.Error));
        Assert.Equal(
            """{"policy":"welcome","realm":"demo","accounts":2,"credits":6.000000,"applied":true}""", applied.Output.TrimEnd());
        await RunAsync(bundle, Trial, "reconcile");
        await RunAsync(bundle, Trial, "reconcile");
        Assert.Equal("ana 8, ben 5, cem 1", await BalancesAsync(bundle));
    }

    [Fact]
    public async Task A_disabled_policy_gives_nothing_until_it_is_enabled()
    {
        await using var bundle = await PrepareAsync("ana");
        await RunAsync(bundle, Trial, "reconcile");
        var disabled = await RunAsync(bundle, Trial, "grants", "disable", "--policy", "welcome");
        Assert.Equal(
            (0, "Policy welcome gives no more grants in realm demo. What it gave stays.\n", ""),
            (disabled.ExitCode, disabled.Output, disabled.Error));
        Assert.Equal(1, (await RunAsync(bundle, Trial, "grants", "disable", "--policy", "welcome")).ExitCode);
        Verify(bundle, "ana");
        bundle.Realm.AddUser(new EmulatedUser("id-of-ben", "ben") { Email = "ben@example.com", EmailVerified = true });
        await RunAsync(bundle, Trial, "reconcile");
        Assert.Equal("ana 1, ben 1", await BalancesAsync(bundle));

        var enabled = await RunAsync(bundle, Trial, "grants", "enable", "--policy", "welcome", "--json");
        Assert.Equal((0, """{"policy":"welcome","realm":"demo","disabled":false}"""), (enabled.ExitCode, enabled.Output.TrimEnd()));
        await RunAsync(bundle, Trial, "reconcile");
        Assert.Equal("ana 8, ben 8", await BalancesAsync(bundle));
    }

    [Fact]
    public async Task What_a_policy_gave_within_a_time_is_taken_back_once_it_is_confirmed()
    {
        await using var bundle = await PrepareAsync("ana", "ben");
        await RunAsync(bundle, Trial, "reconcile");
        Verify(bundle, "ana");
        await RunAsync(bundle, Trial, "reconcile");
        string[] between = ["grants", "void", "--policy", "welcome", "--reason", "abuse", "--between", "2020-01-01", "2099-01-01"];

        var counted = await RunAsync(bundle, Trial, between);
        Assert.Equal(
            (0, "Policy welcome gave 3 grants of 9.00 credits in this time that are open. Add --confirm 3 to void them.\n", ""),
            (counted.ExitCode, counted.Output, counted.Error));
        var wrong = await RunAsync(bundle, Trial, [.. between, "--confirm", "4"]);
        Assert.Equal((1, "Nothing was done: --confirm says 4, and these are 3 grants.\n"), (wrong.ExitCode, wrong.Error));
        Assert.Equal("ana 8, ben 1", await BalancesAsync(bundle));
        var earlier = await RunAsync(
            bundle, Trial, "grants", "void", "--policy", "welcome", "--reason", "abuse", "--between", "2020-01-01", "2020-01-02", "--json");
        Assert.Equal(
            """{"policy":"welcome","grants":0,"credits":0,"voided":0,"taken":0}""", earlier.Output.TrimEnd());

        var voided = await RunAsync(bundle, Trial, [.. between, "--confirm", "3"]);
        Assert.Equal((0, ""), (voided.ExitCode, voided.Error));
        Assert.EndsWith("Voided 3 of them: took 9.00.\n", voided.Output, StringComparison.Ordinal);
        await RunAsync(bundle, Trial, "reconcile");
        Assert.Equal("ana 0, ben 0", await BalancesAsync(bundle));
    }

    [Theory]
    [InlineData(1, "Policy welcome is not configured in realm demo", "apply", "--policy", "welcome", "--created-after", "2020-01-01",
        "--max-credits", "1")]
    [InlineData(1, "Policy task:none is active in none of these realms", "disable", "--policy", "task:none")]
    [InlineData(1, "Policy welcome is disabled in none of these realms", "enable", "--policy", "welcome")]
    [InlineData(1, "There is no account of unknown", "explain", "unknown")]
    [InlineData(2, "--realm nowhere is not configured", "disable", "--policy", "welcome", "--realm", "nowhere")]
    [InlineData(2, "--created-after tomorrow is not a date", "apply", "--policy", "welcome", "--created-after", "tomorrow",
        "--max-credits", "1")]
    [InlineData(2, "Name the grant", "void", "ana", "--reason", "r")]
    [InlineData(2, "Name the grant", "void", "ana", "signup", "--policy", "welcome", "--reason", "r")]
    [InlineData(2, "--policy and --between belong together", "void", "--policy", "welcome", "--reason", "r")]
    [InlineData(2, "--between ends before it begins", "void", "--policy", "welcome", "--reason", "r", "--between", "2026-02-01",
        "2026-01-01")]
    [InlineData(2, "--between x is not a date", "void", "--policy", "welcome", "--reason", "r", "--between", "x", "2026-01-01")]
    [InlineData(2, "--confirm belongs to --policy", "void", "ana", "signup", "--reason", "r", "--confirm", "1")]
    public async Task What_is_wrong_is_named(int exitCode, string problem, params string[] arguments)
    {
        await using var bundle = await PrepareAsync("ana");
        var refused = await RunAsync(bundle, [], ["grants", .. arguments]);
        Assert.Equal((exitCode, ""), (refused.ExitCode, refused.Output));
        Assert.Contains(problem, refused.Error, StringComparison.Ordinal);
    }

    private async Task<ReconciliationFixture> PrepareAsync(params string[] users)
    {
        var bundle = await ReconciliationFixture.StartAsync(postgres);
        foreach (var user in users)
            bundle.Realm.AddUser(new EmulatedUser($"id-of-{user}", user) { Email = $"{user}@example.com" });
        return bundle;
    }

    private static void Verify(ReconciliationFixture bundle, string user) =>
        bundle.Realm.ChangeUser($"id-of-{user}", item => item with { EmailVerified = true });

    private static Task<string?> BalancesAsync(ReconciliationFixture bundle) => bundle.Database.ScalarAsync<string?>(
        "select string_agg(replace(user_id, 'id-of-', '') || ' ' || credits_remaining::integer, ', ' order by user_id) from user_credits");

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(
        ReconciliationFixture bundle, (string Key, string Value)[] policies, params string[] arguments)
    {
        var settings = BridgeFixture.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url);
        foreach (var (key, value) in policies)
            settings[key] = value;
        return CommandProcess.RunAsync(settings, arguments);
    }
}
