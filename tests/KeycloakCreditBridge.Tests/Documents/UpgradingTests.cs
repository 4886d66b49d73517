using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Documents;

[Trait(TestNeeds.Trait, TestNeeds.PostgreSql)]
public sealed partial class UpgradingTests
{
    [Fact]
    public async Task The_commands_of_the_page_do_what_it_says()
    {
        var token = TestContext.Current.CancellationToken;
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Top, "docs", "upgrading.md"), token);
        var commands = Command().Matches(page).Select(command => command.Groups["arguments"].Value).ToList();
        Assert.Equal(["migrate", "migrate", "doctor"], commands);
        await using var scene = await FaultFixture.CreateAsync();
        var settings = FaultFixture.Optional(scene.HintsOnly);

        var first = await CommandProcess.RunAsync(settings, commands[0]);
        var second = await CommandProcess.RunAsync(settings, commands[1]);
        var doctor = await CommandProcess.RunAsync(settings, commands[2]);

        Assert.True(first.ExitCode == 0, first.Error);
        Assert.Contains("Applied", first.Output, StringComparison.Ordinal);
        Assert.Contains("nothing was applied", second.Output, StringComparison.Ordinal);
        Assert.Contains("\nok    replicas: no replica runs", doctor.Output, StringComparison.Ordinal);
    }

    [GeneratedRegex("^ +KeycloakCreditBridge (?<arguments>.+)$", RegexOptions.Multiline)]
    private static partial Regex Command();
}
