using System.Text;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>The documents lead where they say.</summary>
public sealed partial class LinkTests
{
    private const int FrontPageBytes = 9 * 1024;

    private static readonly string Top = Repository.Top;

    [Fact]
    public void Every_relative_link_leads_to_a_file_and_every_anchor_to_a_place_in_it()
    {
        var broken = Pages().SelectMany(
            page => Link().Matches(WithoutCode(page)).Select(link => (Page: page, Target: link.Groups["target"].Value)))
            .Where(link => !External().IsMatch(link.Target) && !Resolves(link.Page, link.Target))
            .Select(link => $"{Path.GetRelativePath(Top, link.Page)} links to {link.Target}");
        Assert.Empty(broken);
    }

    [Fact]
    public void Every_page_is_on_the_map()
    {
        var map = File.ReadAllText(Path.Combine(Top, "docs", "README.md"));
        // The decisions have a map of their own.
        var pages = Repository.FilesUnder("docs", ".md").Select(page => page["docs/".Length..])
            .Where(page => page != "README.md" && !page.StartsWith("decisions/", StringComparison.Ordinal));
        Assert.All(pages, page => Assert.Contains($"({page})", map, StringComparison.Ordinal));
    }

    [Fact]
    public void The_front_page_is_short() => Assert.InRange(new FileInfo(Path.Combine(Top, "README.md")).Length, 1, FrontPageBytes);

    private static IEnumerable<string> Pages() =>
    [
        .. Directory.EnumerateFiles(Top, "*.md"),
        .. Directory.EnumerateFiles(Path.Combine(Top, "docs"), "*.md", SearchOption.AllDirectories),
        .. Directory.EnumerateFiles(Path.Combine(Top, "keycloak-config"), "*.md"),
    ];

    private static bool Resolves(string page, string target)
    {
        var parts = target.Split('#', 2);
        var file = parts[0].Length == 0 ? page : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page)!, parts[0]));
        return parts.Length == 1 ? Path.Exists(file) : File.Exists(file) && Anchors(file).Contains(parts[1]);
    }

    // As GitHub makes them: of a heading its letters, digits, hyphens and underscores in lower case, with hyphens for spaces.
    private static HashSet<string> Anchors(string file)
    {
        var text = WithoutCode(file);
        var headings = Heading().Matches(text).Select(heading => Slug(heading.Groups["text"].Value));
        return [.. headings, .. NamedAnchor().Matches(text).Select(anchor => anchor.Groups["name"].Value)];
    }

    private static string Slug(string heading)
    {
        var slug = new StringBuilder();
        foreach (var letter in heading.Trim().ToLowerInvariant())
        {
            if (char.IsLetterOrDigit(letter) || letter is '-' or '_')
                slug.Append(letter);
            else if (letter == ' ')
                slug.Append('-');
        }

        return slug.ToString();
    }

    private static string WithoutCode(string file) => Fence().Replace(File.ReadAllText(file), "");

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("^[a-z]+:")]
    private static partial Regex External();

    [GeneratedRegex(@"^#{1,6} (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("<a id=\"(?<name>[^\"]+)\">")]
    private static partial Regex NamedAnchor();

    [GeneratedRegex("^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();
}
