using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Hosting;

public sealed class SchemaGateTests(PostgresFixture postgres)
{
    [StartsPrograms, Fact]
    public async Task A_schema_that_needs_a_newer_program_ends_this_one_and_says_what_to_do()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync("insert into schema_migrations values (9000, '9000_later', 'x', now(), 9000)");

        var (exitCode, output, error) = await CommandProcess.RunAsync(
            BridgeFixture.Settings(database.ConnectionString, new Uri("http://localhost:9/")), "run");

        Assert.True(exitCode == 2, $"It ended with {exitCode}: {output}{error}");
        Assert.Contains("9000_later, which needs a program that has migration 9000", output, StringComparison.Ordinal);
        Assert.Contains("run a newer program", output, StringComparison.Ordinal);
    }
}
