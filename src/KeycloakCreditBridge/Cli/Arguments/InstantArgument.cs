using System.CommandLine.Parsing;
using System.Globalization;

namespace KeycloakCreditBridge.Cli.Arguments;

/// <summary>The value of an option that is a date or an instant.</summary>
internal static class InstantArgument
{
    private static readonly string[] Formats =
        ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    /// <summary>In UTC where the text has no offset; null, and an error, where it is neither.</summary>
    public static DateTimeOffset? Parse(ArgumentResult result)
    {
        var text = result.Tokens.Single().Value;
        if (Read(text) is { } instant)
            return instant;
        Refuse(result, text);
        return null;
    }

    /// <summary>Two of them, of which the second is later.</summary>
    public static DateTimeOffset[]? ParseRange(ArgumentResult result)
    {
        DateTimeOffset[] range = [.. result.Tokens.Select(token => Read(token.Value)).OfType<DateTimeOffset>()];
        if (range.Length < result.Tokens.Count)
            Refuse(result, result.Tokens.First(token => Read(token.Value) is null).Value);
        else if (range is [var from, var until] && from >= until)
            result.AddError($"{Name(result)} ends before it begins: give the earlier time first.");
        return range;
    }

    private static DateTimeOffset? Read(string text) =>
        DateTimeOffset.TryParseExact(
            text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var instant)
            ? instant
            : null;

    private static void Refuse(ArgumentResult result, string text) =>
        result.AddError($"{Name(result)} {text} is not a date or instant: write it as 2026-01-31 or 2026-01-31T08:00:00Z.");

    private static string Name(ArgumentResult result) => ((OptionResult)result.Parent!).Option.Name;
}
