using System.CommandLine;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Cli;

namespace KeycloakCreditBridge.Tests.Cli;

/// <summary>docs/commands.md agrees with the program.</summary>
public sealed partial class CommandTableTests
{
    private static readonly RootCommand Root =
        CliModule.Root(new CommandHost(_ => throw new NotSupportedException(), _ => throw new NotSupportedException()));

    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "commands.md"));

    [Fact]
    public void Every_command_that_tells_a_result_has_the_option_json() => Assert.Empty(
        Leaves(Root, "")
            .Where(leaf => leaf.Name is not "run" && leaf.Command.Options.All(option => option.Name != "--json"))
            .Select(leaf => leaf.Name));

    [Fact]
    public void The_page_has_every_command_and_no_other() => Assert.Equal(
        Leaves(Root, "").Select(leaf => leaf.Name).Order(StringComparer.Ordinal),
        CommandRow().Matches(Page).Select(row => row.Groups["name"].Value).Order(StringComparer.Ordinal));

    [Fact]
    public void The_page_and_the_help_have_every_exit_code_and_no_other()
    {
        var codes = typeof(ExitCode).GetFields().Where(field => field.IsLiteral)
            .Select(field => $"{field.GetRawConstantValue()}").Order(StringComparer.Ordinal).ToList();
        Assert.Equal(codes, CodeRow().Matches(Page).Select(row => row.Groups["code"].Value).Order(StringComparer.Ordinal));
        Assert.Equal(codes, HelpCode().Matches(HelpText.Footer).Select(row => row.Groups["code"].Value).Order(StringComparer.Ordinal));
    }

    private static IEnumerable<(string Name, Command Command)> Leaves(Command command, string path) => command.Subcommands.Count == 0
        ? [(path, command)]
        : command.Subcommands.SelectMany(sub => Leaves(sub, $"{path} {sub.Name}".TrimStart()));

    [GeneratedRegex(@"^\| `(?<name>[a-z ]+)` \|", RegexOptions.Multiline)]
    private static partial Regex CommandRow();

    [GeneratedRegex(@"^\| (?<code>[0-9]+) \|", RegexOptions.Multiline)]
    private static partial Regex CodeRow();

    [GeneratedRegex("^  (?<code>[0-9]+) ", RegexOptions.Multiline)]
    private static partial Regex HelpCode();
}
