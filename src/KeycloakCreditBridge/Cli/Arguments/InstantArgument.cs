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
        if (DateTimeOffset.TryParseExact(
            text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var instant))
        {
            return instant;
        }

        var option = ((OptionResult)result.Parent!).Option.Name;
        result.AddError($"{option} {text} is not a date or instant: write it as 2026-01-31 or 2026-01-31T08:00:00Z.");
        return null;
    }
}
