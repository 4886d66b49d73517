using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Grants;

/// <summary>Settings of grants that are tried over all users, with the real executable.</summary>
[StartsPrograms]
public sealed class TrialCommandTests(PostgresFixture postgres) : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"trial-{Guid.NewGuid():n}.json");

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task A_trial_counts_who_would_get_what_by_which_rule_and_writes_nothing()
    {
        await using var bundle = await PrepareAsync();
        await File.WriteAllTextAsync(
            _file,
            """
            { "Grants": {
              "Welcome": {
                "Credits": 5, "Before": 1, "Requires": ["email_verified"], "Rules": [
                  { "Name": "schools", "When": { "EmailDomain": "*.edu.example" }, "Credits": 20, "Budget": { "Credits": 30 } } ] },
              "Tasks": {
                "verify": { "Evidence": { "EmailVerified": true }, "Credits": 0.5 },
                "mfa": { "Evidence": { "Credential": ["otp"] }, "Credits": 1.5 } } } }
            """,
            TestContext.Current.CancellationToken);

        var tried = await RunAsync(bundle, [("Grants:Welcome:Rules:0:Credits", "7")], "--config", _file);
        Assert.Equal((0, ""), (tried.ExitCode, tried.Error));
        Assert.Equal(
            """
            Realm demo: 47.50 credits at once, and at most 25.50 later.
            GRANT        RULE     WHAT     USERS  CREDITS  BUDGET
            signup       -        due      4      4.00     -
            welcome      -        due      1      4.00     -
            welcome      schools  due      2      38.00    30.00
            welcome      -        missing  1      19.00    -
            task:mfa     -        unknown  4      6.00     -
            task:verify  -        due      3      1.50     -
            task:verify  -        missing  1      0.50     -
            -            -        held     1      0.00     -

            """, tried.Output);
        Assert.Equal(0, await bundle.Database.ScalarAsync<long>("select count(*) from user_credits"));
        Assert.Equal(0, await bundle.Database.ScalarAsync<long>("select count(*) from grant_policies"));

        string[] rows = (await RunAsync(bundle, [], "--config", _file, "--json")).Output.TrimEnd().Split('\n');
        var schools = JsonNode.Parse(Assert.Single(rows, row => row.Contains("schools", StringComparison.Ordinal)))!;
        Assert.Equal(
            ("demo", "welcome", "schools", "due", 2, 38m, 30m),
            ((string)schools["realm"]!, (string)schools["grant"]!, (string)schools["rule"]!, (string)schools["state"]!,
                (int)schools["users"]!, (decimal)schools["credits"]!, (decimal)schools["budget"]!));
    }

    [Theory]
    [InlineData("{ \"Grants\": { \"Welcome\": { \"Requires\": [\"email_verifed\"] }, \"Tasks\": { \"a\": { \"Credits\": -1 } } } }",
        "did you mean email_verified", "Grants:Tasks:a:Credits is -1")]
    [InlineData("{ \"Provisioning\": { \"Amount\": 7 } }", "has no section Grants")]
    [InlineData("{ \"Grants\": ", "cannot be read")]
    [InlineData(null, "is not there")]
    public async Task Settings_that_cannot_be_used_are_refused_with_all_their_faults(string? text, params string[] problems)
    {
        await using var bundle = await PrepareAsync();
        if (text is not null)
            await File.WriteAllTextAsync(_file, text, TestContext.Current.CancellationToken);
        var refused = await RunAsync(bundle, [], "--config", _file);
        Assert.Equal((2, ""), (refused.ExitCode, refused.Output));
        Assert.All(problems, problem => Assert.Contains(problem, refused.Error, StringComparison.Ordinal));
    }

    private async Task<ReconciliationFixture> PrepareAsync()
    {
        var bundle = await ReconciliationFixture.StartAsync(postgres);
        Assert.Equal(0, (await CommandProcess.RunAsync(Settings(bundle, []), "migrate")).ExitCode);
        (string Name, string Email, bool Verified, bool Enabled)[] users =
        [
            ("ana", "ana@uni.edu.example", true, true), ("ben", "ben@uni.edu.example", true, true),
            ("cem", "cem@example.com", true, true), ("dea", "dea@example.com", false, true), ("eli", "eli@example.com", true, false),
        ];
        foreach (var (name, email, verified, enabled) in users)
        {
            bundle.Realm.AddUser(new EmulatedUser($"id-of-{name}", name)
            {
                Email = email, EmailVerified = verified, Enabled = enabled,
            });
        }

        return bundle;
    }

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(
        ReconciliationFixture bundle, (string Key, string Value)[] more, params string[] arguments) =>
        CommandProcess.RunAsync(Settings(bundle, more), ["grants", "try", .. arguments]);

    private static Dictionary<string, string?> Settings(ReconciliationFixture bundle, (string Key, string Value)[] more)
    {
        var settings = BridgeFixture.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url);
        foreach (var (key, value) in more)
            settings[key] = value;
        return settings;
    }
}
