using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>The shell commands of a page.</summary>
internal static partial class ShellText
{
    /// <summary>The fenced shell blocks of a page, in order.</summary>
    public static IReadOnlyList<string> Blocks(string page) => [.. Block().Matches(Repository.Read(page)).Select(Unindented)];

    /// <summary>Runs commands and returns what they print; fails when one of them does.</summary>
    public static Task<string> RunAsync(string commands, params (string Name, string Value)[] environment) => Command.RunAsync(
        ["bash", "-euo", "pipefail", "-c", commands], TestContext.Current.CancellationToken,
        environment.ToDictionary(pair => pair.Name, pair => pair.Value));

    private static string Unindented(Match block) =>
        block.Groups["text"].Value.Replace("\n" + block.Groups["indent"].Value, "\n", StringComparison.Ordinal).TrimStart();

    [GeneratedRegex("^(?<indent> *)```sh\n(?<text>.*?)^ *```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}
