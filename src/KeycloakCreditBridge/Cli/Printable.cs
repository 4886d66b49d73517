using System.Globalization;
using KeycloakCreditBridge.Configuration.Logs;

namespace KeycloakCreditBridge.Cli;

/// <summary>Text for a terminal.</summary>
internal static class Printable
{
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
}
