using System.Text;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Cli;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Tests.Outbox;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>Commands and settings in the documents are ones that the program takes.</summary>
public sealed partial class ExampleTests
{
    private static readonly string[] Required =
    [
        "--Storage:ConnectionString=Host=db", "--Keycloak:Url=https://sso.example.com", "--Keycloak:ClientSecret=secret",
        "--Keycloak:Realms:0:Name=shop", "--Keycloak:Realms:1:Name=staff",
    ];

    public static TheoryData<string> Pages() => ["README.md", "keycloak-config/README.md", .. Repository.FilesUnder("docs", ".md")];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_command_is_one_that_the_program_takes(string page)
    {
        var root = CliModule.Root(new CommandHost(Program.Compose, Program.Build));
        var refused =
            from command in Command().Matches(Repository.Read(page))
            let arguments = command.Groups["arguments"].Value.Split('#')[0]
            from problem in root.Parse(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Errors
            select $"{arguments}: {problem.Message}";
        Assert.Empty(refused);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_setting_is_one_that_the_bridge_accepts(string page)
    {
        var text = Repository.Read(page);
        var variables = Variable().Matches(text).Select(variable =>
            $"--{variable.Groups["name"].Value.Replace("__", ":", StringComparison.Ordinal)}={Value(variable)}");
        Assert.Empty(Problems([.. Required, .. variables], "{}"));
        Assert.All(Json().Matches(text), json => Assert.Empty(Problems(Required, json.Groups["text"].Value)));
    }

    // Of a file with a secret that is checked, what it may hold.
    private static string Value(Match variable) =>
        variable.Groups["file"].Success && variable.Value.StartsWith("Outbox__", StringComparison.Ordinal)
        ? SinkFixture.Secret
        : variable.Groups["value"].Value.Trim('\'');

    private static IReadOnlyList<string> Problems(string[] settings, string json)
    {
        var builder = Program.Compose(settings);
        builder.Configuration.AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json)));
        using var services = builder.Services.BuildServiceProvider();
        return ConfigurationCheck.Problems(services);
    }

    // Also in a container, and by the image's name.
    [GeneratedRegex("(`|^| )(KeycloakCreditBridge|^ *credit_bridge .*credit-bridge) (?<arguments>[^`\n]+)", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex(@"\b(?<name>[A-Z][A-Za-z]+(__[A-Za-z0-9]+)+?)(?<file>_FILE)?=(?<value>'[^']*'|[^\s`]+)")]
    private static partial Regex Variable();

    [GeneratedRegex("^```json\n(?<text>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Json();
}
