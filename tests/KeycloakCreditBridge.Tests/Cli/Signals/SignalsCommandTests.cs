using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Signals;

/// <summary>`signals` with the real executable.</summary>
[StartsPrograms]
public sealed class SignalsCommandTests(PostgresFixture postgres)
{
    [Fact]
    public async Task An_operator_allows_and_denies_and_takes_it_back()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        Assert.StartsWith(
            "deny   domain   temp.example", (await RunAsync(database, "signals", "deny", "Temp.Example")).Output, StringComparison.Ordinal);
        var (exitCode, output, error) = await RunAsync(database, "signals", "allow", "a.na+1@gmail.com", "--note", "a friend", "--json");
        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains("\"kind\":\"address\"", output, StringComparison.Ordinal);
        Assert.DoesNotContain("gmail", output, StringComparison.Ordinal);
        Assert.Equal((0, "Forgot 0 users of this inbox.\n", ""), await RunAsync(database, "signals", "forget", "ana@googlemail.com"));
        Assert.Equal((0, "Removed.\n", ""), await RunAsync(database, "signals", "remove", "temp.example"));
        Assert.Equal((1, "{\"removed\":0}\n", ""), await RunAsync(database, "signals", "remove", "temp.example", "--json"));
        Assert.Equal((0, "", ""), await RunAsync(database, "signals", "list"));
        Assert.Equal(
            ["fraud.deny", "fraud.allow", "fraud.forget", "fraud.remove"],
            await database.QueryAsync<string>("select action from audit_logs where action like 'fraud.%' order by timestamp"));
    }

    [Fact]
    public async Task What_is_no_domain_and_no_address_is_wrong_usage()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        Assert.Contains(
            "co.uk is no domain that users have", (await RunAsync(database, "signals", "deny", "co.uk")).Error, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync(database, "signals", "forget", "example.com")).ExitCode);
    }

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(TestDatabase database, params string[] arguments)
    {
        var settings = BridgeFixture.Settings(database.ConnectionString, new Uri("http://127.0.0.1:1"));
        settings["Grants:Fraud:Key"] = new string('k', 32);
        return CommandProcess.RunAsync(settings, arguments);
    }
}
