using System.Globalization;
using System.Text;

namespace KeycloakCreditBridge.Configuration.Logs;

/// <summary>
/// Makes foreign text safe for a line: a name can hold line breaks, terminal commands, or marks that reverse the direction of a line.
/// </summary>
internal static class VisibleText
{
    /// <summary>The text on one line, with `\u{…}` for each invisible character.</summary>
    public static string Of(string text)
    {
        if (text.All(character => character is >= ' ' and <= '~'))
            return text;
        var line = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsVisible(rune))
                line.Append(rune.ToString());
            else
                line.Append(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:X}}}");
        }

        return line.ToString();
    }

    /// <summary>Whether the text begins a line of its own, or turns the direction of one, where it is shown as it is.</summary>
    public static bool LeavesItsLine(string text) => text.Any(character =>
        char.IsControl(character) || character is (>= '\u2028' and <= '\u202e') or (>= '\u2066' and <= '\u2069'));

    private static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
