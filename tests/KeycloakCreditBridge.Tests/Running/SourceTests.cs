using System.Globalization;

namespace KeycloakCreditBridge.Tests.Running;

public sealed class SourceTests
{
    private const int MaxLines = 250;

    private static readonly string[] Folders = ["src", "tests"];

    [Fact]
    public void No_line_is_longer_than_the_editorconfig_states()
    {
        var limit = int.Parse(
            File.ReadLines(Path.Combine(Repository.Top, ".editorconfig"))
                .First(line => line.StartsWith("max_line_length", StringComparison.Ordinal)).Split('=')[1],
            CultureInfo.InvariantCulture);
        Findings.None(Files().SelectMany(file => File.ReadLines(file)
            .Select((line, index) => (line.Length, Place: $"{NameOf(file)}:{index + 1}"))
            .Where(line => line.Length > limit)
            .Select(line => $"{line.Place} has {line.Length} characters")));
    }

    [Fact]
    public void No_file_has_more_than_250_lines() => Findings.None(Files()
        .Select(file => (Name: NameOf(file), Lines: File.ReadLines(file).Count()))
        .Where(file => file.Lines > MaxLines)
        .Select(file => $"{file.Name} has {file.Lines} lines"));

    private static IEnumerable<string> Files() => Folders
        .SelectMany(folder => Directory.GetFiles(Path.Combine(Repository.Top, folder), "*.cs", SearchOption.AllDirectories));

    private static string NameOf(string file) => Path.GetRelativePath(Repository.Top, file);
}
