using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Storage;

/// <summary>Long statements. Each stands in a `.sql` file beside its store and is embedded in the executable.</summary>
internal static partial class SqlText
{
    private static readonly ConcurrentDictionary<string, bool> Loaded = new(StringComparer.Ordinal);

    /// <summary>The files that a statement was made of so far.</summary>
    public static IEnumerable<string> Files => Loaded.Keys;

    /// <summary>Reads a file without its comment lines, so that the server and its statistics see the statement alone.</summary>
    /// <param name="store">The class beside which the file stands.</param>
    /// <param name="file">The file's name.</param>
    /// <param name="parts">What stands for `{name}` in the file: a rule or a common part that is spelled elsewhere.</param>
    public static string Of(Type store, string file, params ReadOnlySpan<(string Name, string Text)> parts)
    {
        var resource = $"{store.Namespace}.{file}";
        using var stream = store.Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"There is no embedded statement {resource}.");
        using var reader = new StreamReader(stream);
        List<string> lines = [];
        while (reader.ReadLine() is { } line)
        {
            if (!line.TrimStart().StartsWith("--", StringComparison.Ordinal))
                lines.Add(line);
        }

        var text = string.Join('\n', lines).Trim();
        foreach (var (name, part) in parts)
            text = text.Replace($"{{{name}}}", part, StringComparison.Ordinal);
        Loaded[resource] = true;
        return text;
    }

    /// <summary>The statement without what stands between comments `/* name */` and `/* end */`.</summary>
    public static string Without(string name, string statement) => Optional().Replace(
        statement, part => part.Groups["name"].Value == name ? "" : part.Value);

    [GeneratedRegex(@"/\* (?<name>\w+) \*/.*?/\* end \*/", RegexOptions.Singleline)]
    private static partial Regex Optional();
}
