using System.Globalization;
using System.Text;

namespace KeycloakCreditBridge.Cli;

/// <summary>
/// Makes foreign text safe for a terminal: a name can hold line breaks, terminal commands, or marks that reverse the direction of a line.
/// </summary>
internal static class Printable
{
    /// <summary>The text on one line, with `\u{…}` for each invisible character.</summary>
    public static string Of(string? text)
    {
        var line = new StringBuilder(text?.Length ?? 0);
        foreach (var rune in (text ?? "").EnumerateRunes())
        {
            if (IsVisible(rune))
                line.Append(rune.ToString());
            else
                line.Append(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:X}}}");
        }

        return line.ToString();
    }

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

    private static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
