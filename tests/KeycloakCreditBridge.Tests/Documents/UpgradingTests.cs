using System.Diagnostics;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using KeycloakCreditBridge.Tests.Storage.Migrations;

namespace KeycloakCreditBridge.Tests.Documents;

[StartsPrograms]
public sealed partial class UpgradingTests
{
    [Fact]
    public async Task The_commands_of_the_page_do_what_it_says()
    {
        var token = TestContext.Current.CancellationToken;
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Top, "docs", "upgrading.md"), token);
        var commands = Command().Matches(page).Select(command => command.Groups["arguments"].Value).ToList();
        Assert.Equal(["migrate", "migrate", "doctor"], commands);
        await using var fixture = await FaultFixture.CreateAsync();
        var settings = FaultFixture.Optional(fixture.HintsOnly);

        var first = await CommandProcess.RunAsync(settings, commands[0]);
        var second = await CommandProcess.RunAsync(settings, commands[1]);
        var doctor = await CommandProcess.RunAsync(settings, commands[2]);

        Assert.True(first.ExitCode == 0, first.Error);
        Assert.Contains("Applied", first.Output, StringComparison.Ordinal);
        Assert.Contains("nothing was applied", second.Output, StringComparison.Ordinal);
        Assert.Contains("\nok    replicas: no replica runs", doctor.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_backup_of_the_page_brings_the_earlier_database_back()
    {
        var token = TestContext.Current.CancellationToken;
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Top, "docs", "upgrading.md"), token);
        await using var postgres = await PostgresFixture.StartOwnAsync(durable: false);
        var connectionString = await postgres.CreateDatabaseAsync("credits", token);
        await using var database = new TestDatabase(connectionString);
        await EarlierVersion.WriteAsync(database, token);
        await using var restored = new TestDatabase(await postgres.CreateDatabaseAsync("restored", token));
        var folder = Directory.CreateTempSubdirectory("backup-");
        try
        {
            await RunAsync("pg_dump");
            Assert.Equal(0, (await CommandProcess.RunAsync([new("Storage:ConnectionString", connectionString)], "migrate")).ExitCode);
            await RunAsync("pg_restore");
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        Assert.Equal(15, await restored.ScalarAsync<int>("select max(version) from schema_migrations"));
        Assert.Equal(
            EarlierVersion.Users.Order(StringComparer.Ordinal),
            await restored.QueryAsync<string>("""select user_id from user_credits order by user_id collate "C" """));

        async Task RunAsync(string program)
        {
            var line = Regex.Match(page, $"^ +({program} .+)$", RegexOptions.Multiline).Groups[1].Value;
            var start = new ProcessStartInfo("sh", ["-ec", line]) { WorkingDirectory = folder.FullName };
            var binaries = await PostgresBinaries.FindOrInstallAsync(null, token);
            start.Environment["PATH"] = $"{binaries}:{Environment.GetEnvironmentVariable("PATH")}";
            start.Environment["DATABASE"] = postgres.PsqlAddress("credits");
            start.Environment["EMPTY_DATABASE"] = postgres.PsqlAddress("restored");
            using var process = Process.Start(start)!;
            await process.WaitForExitAsync(token);
            Assert.True(process.ExitCode == 0, $"{line} ended with {process.ExitCode}");
        }
    }

    [GeneratedRegex("^ +KeycloakCreditBridge (?<arguments>.+)$", RegexOptions.Multiline)]
    private static partial Regex Command();
}
