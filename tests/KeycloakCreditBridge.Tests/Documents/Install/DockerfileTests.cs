using System.Text.Json;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Cli;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>What the Dockerfile and the page about it claim, without an engine; .ci/run runs its build stage's commands.</summary>
public sealed partial class DockerfileTests
{
    private const string Folder = "src/KeycloakCreditBridge";

    private static readonly string Text = Repository.Read($"{Folder}/Dockerfile");
    private static readonly string[] Lines = [.. Continued().Replace(Text, " ").Split('\n').Where(line => !line.StartsWith('#'))];

    [Fact]
    public void Every_image_has_an_exact_tag_and_at_most_the_digest_of_a_registry() =>
        Assert.All(Arguments("FROM"), image => Assert.Matches(ExactImage(), image));

    [Fact]
    public void The_program_runs_as_a_user_without_privileges() =>
        Assert.NotEqual(0, int.Parse(Assert.Single(Arguments("USER")), System.Globalization.CultureInfo.InvariantCulture));

    [Fact]
    public void It_is_started_and_checked_without_a_shell_by_commands_that_it_has()
    {
        var root = CliModule.Root(new CommandHost(Program.Compose, Program.Build));
        var entry = Exec(Assert.Single(Arguments("ENTRYPOINT")));
        var check = Exec(Assert.Single(Arguments("HEALTHCHECK")).Split(" CMD ")[1]);
        Assert.Equal(entry, check[..1]);
        Assert.Empty(root.Parse(check[1..]).Errors);
        Assert.Empty(root.Parse(Exec(Assert.Single(Arguments("CMD")))).Errors);
        Assert.DoesNotContain("\nRUN", Text.Split("\nFROM ")[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Packages_are_restored_before_the_source_is_copied_and_only_as_locked()
    {
        var restore = Array.FindIndex(Lines, line => line.Contains("dotnet restore", StringComparison.Ordinal));
        var source = Array.FindIndex(Lines, line => line.StartsWith($"COPY {Folder}/ ", StringComparison.Ordinal));
        Assert.InRange(restore, 1, source - 1);
        Assert.Contains("--locked-mode", Lines[restore], StringComparison.Ordinal);
        Assert.All(
            Lines.Where(line => line.Contains("dotnet ", StringComparison.Ordinal) && line.StartsWith("RUN", StringComparison.Ordinal)),
            line => Assert.Contains("-a $TARGETARCH", line, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_file_that_is_copied_exists_and_is_sent_to_the_engine()
    {
        var sent = Repository.Read($"{Folder}/Dockerfile.dockerignore").Split('\n').Where(line => line.StartsWith('!')).ToList();
        var copied = Arguments("COPY").Where(files => !files.StartsWith("--from", StringComparison.Ordinal))
            .SelectMany(files => files.Split(' ', StringSplitOptions.RemoveEmptyEntries)[..^1]);
        foreach (var file in copied)
        {
            Assert.True(Path.Exists(Path.Combine(Repository.Top, file)), $"{file} does not exist.");
            Assert.Contains(sent, pattern => Fits(pattern[1..], file));
        }
    }

    private static bool Fits(string pattern, string file)
    {
        var expression = Regex.Escape(pattern).Replace(@"\*\*", ".*", StringComparison.Ordinal);
        return Regex.IsMatch(file, $"^{expression.Replace(@"\*", "[^/]*", StringComparison.Ordinal)}$");
    }

    private static string[] Exec(string json) => JsonSerializer.Deserialize<string[]>(json)!;

    private static IEnumerable<string> Arguments(string instruction) =>
        Lines.Where(line => line.StartsWith(instruction + " ", StringComparison.Ordinal)).Select(line => line[(instruction.Length + 1)..]);

    [GeneratedRegex(@"^(--platform=\$BUILDPLATFORM )?[a-z./]+/[a-z]+:\d+\.\d+\.\d+(-[a-z-]+)?(@sha256:[0-9a-f]{64})?( AS [a-z]+)?$")]
    private static partial Regex ExactImage();

    [GeneratedRegex(@" *\\\n *")]
    private static partial Regex Continued();
}
