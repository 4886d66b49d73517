using System.Globalization;
using KeycloakCreditBridge.Configuration.Logs;

namespace KeycloakCreditBridge.Cli;

/// <summary>Text for a terminal.</summary>
internal static class Printable
{
    private const int UsualWidth = 80;

    /// <summary>How long a line may be: as the terminal is wide, without limit where a file or another program reads.</summary>
    public static int Width { get; } =
        Console.IsOutputRedirected ? int.MaxValue : Console.WindowWidth > 0 ? Console.WindowWidth : UsualWidth;

    /// <summary>The text on one line, with `\u{…}` for each invisible character.</summary>
    public static string Of(string? text) => VisibleText.Of(text ?? "");

    /// <summary>An instant to the second, in UTC.</summary>
    public static string Of(DateTimeOffset instant) => instant.ToUniversalTime().ToString("u", CultureInfo.InvariantCulture);

    /// <summary>Rows as columns of the same width, two spaces apart; without trailing spaces.</summary>
    public static IEnumerable<string> Columns(IReadOnlyList<string[]> rows)
    {
        if (rows.Count == 0)
            return [];
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        return rows.Select(row => string.Join("  ", row.Select((text, column) => text.PadRight(widths[column]))).TrimEnd());
    }

    /// <summary>
    /// Rows as <see cref="Columns"/>; where they are wider than the terminal, each row as a line for each of its values, with an empty line
    /// between rows. The first row has the names, and values that are empty are left out.
    /// </summary>
    public static IEnumerable<string> List(IReadOnlyList<string[]> rows, int? width = null)
    {
        string[] wide = [.. Columns(rows)];
        if (rows.Count < 2 || Array.TrueForAll(wide, line => line.Length <= (width ?? Width)))
            return wide;
        var names = rows[0];
        var nameWidth = names.Max(name => name.Length);
        return rows.Skip(1).SelectMany((row, index) => names.Zip(row)
            .Where(value => value.Second.Length > 0)
            .Select(value => $"{value.First.PadRight(nameWidth)}  {value.Second}")
            .Prepend("").Skip(index == 0 ? 1 : 0));
    }

    /// <summary>
    /// Rows as <see cref="Columns"/>; where they are wider than the terminal, the columns stand in several tables with an empty line
    /// between them. Each begins with the first column.
    /// </summary>
    public static IEnumerable<string> Tables(IReadOnlyList<string[]> rows, int? width = null)
    {
        if (rows.Count == 0)
            return [];
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        List<string> lines = [];
        for (var first = 1; first < widths.Length || lines.Count == 0;)
        {
            var next = first;
            for (var taken = widths[0]; next < widths.Length && (next == first || taken + 2 + widths[next] <= (width ?? Width)); next++)
                taken += 2 + widths[next];
            if (lines.Count > 0)
                lines.Add("");
            var (from, to) = (first, next);
            lines.AddRange(Columns([.. rows.Select(row => (string[])[row[0], .. row[from..to]])]));
            first = next;
        }

        return lines;
    }

    /// <summary>
    /// The text in lines that fit the terminal, broken after commas and, where a part between them is too long, at spaces. All but the
    /// first are indented.
    /// </summary>
    public static string Wrapped(string text, int indent, int? width = null)
    {
        List<string> lines = [];
        foreach (var part in text.Split(", "))
        {
            // Two for the comma and the space before the part, one for the comma after it.
            if (lines.Count > 0 && lines[^1].Length + part.Length + 3 <= (width ?? Width))
                lines[^1] += $", {part}";
            else
                lines.Add(lines.Count == 0 ? part : new string(' ', indent) + part);
        }

        return string.Join(",\n", lines.Select(line => BrokenAtSpaces(line, indent, (width ?? Width) - 1)));
    }

    private static string BrokenAtSpaces(string line, int indent, int width)
    {
        List<string> lines = [];
        while (line.Length > width && line.LastIndexOf(' ', width) is var space && space > indent)
        {
            lines.Add(line[..space]);
            line = new string(' ', indent) + line[(space + 1)..];
        }

        return string.Join('\n', [.. lines, line]);
    }
}
