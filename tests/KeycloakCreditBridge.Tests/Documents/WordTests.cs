using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>Holds code and documents to docs/words.md. Applied migrations are never edited, so they are outside.</summary>
public sealed partial class WordTests
{
    // This file names the words, docs/words.md explains them, the changelog names what was renamed, and "nobody" is a user of Linux.
    private static readonly string[] Outside = ["WordTests.cs", "words.md", "CHANGELOG.md", "UnprivilegedUser.cs"];

    private static readonly string[] Folders = ["src", "tests", "docs", "keycloak-config", ".ci"];

    private static readonly string[] Kinds = [".cs", ".razor", ".md", ".sql", ".yaml"];

    [Fact]
    public void Code_and_documents_use_the_words_of_the_dictionary() =>
        Findings.None(Lines()
            .Where(line => Forbidden().IsMatch(line.Text))
            .Select(line => $"{line.File}:{line.Number}: {line.Text.Trim()}"));

    private static IEnumerable<Line> Lines() =>
        Folders.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Top, folder), "*", SearchOption.AllDirectories))
            .Concat(Directory.EnumerateFiles(Repository.Top, "*.md"))
            .Where(file => Kinds.Contains(Path.GetExtension(file), StringComparer.Ordinal))
            .Where(file => !IsMigration(file) && !Outside.Contains(Path.GetFileName(file)))
            .SelectMany(file => File.ReadLines(file).Select(
                (text, index) => new Line(Path.GetRelativePath(Repository.Top, file), index + 1, text)));

    private static bool IsMigration(string file) =>
        !file.EndsWith(".cs", StringComparison.Ordinal) && file.Contains("Migrations", StringComparison.Ordinal);

    [GeneratedRegex(
        """
        [Nn]obody|[Ss]omebody|[Ww]hoever|\b[Ww]hom\b|\bWho\b|(?<!--)[Pp]eople|[Ee]verybody|\b[Jj]udg|[a-z]Judg|[Rr]ejudg|
        [Dd]isposition|\bturned\b|\b[Bb]uried\b|\b[Ss]ettl(e|es|ed|ing)[ ](a[ ]|the[ ])?hint|
        \b[Ss]trangers?\b|\b[Dd]esk\b|[Uu]ndated|[Aa]bsentee|
        [Gg]limpse|[Ll]eftover|[Cc]arry[ ]?[Cc]ap|\bgone\b|\b[Ll]ook(s|ed|ing)?[ ](at|again)\b
        """,
        RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Forbidden();

    private sealed record Line(string File, int Number, string Text);
}
