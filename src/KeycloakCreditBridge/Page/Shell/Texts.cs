using System.Globalization;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Page.Shell;

/// <summary>How numbers, times and ids are written on the page.</summary>
internal static partial class Texts
{
    private const int LongestShown = 120;
    private const int LongestSentence = 2_000;

    /// <summary>With a thin group mark and without closing zeros; never by way of a floating point number.</summary>
    public static string Credits(decimal amount) => amount.ToString("#,0.######", CultureInfo.InvariantCulture);

    /// <summary>The same with its sign.</summary>
    public static string Signed(decimal amount) => amount > 0 ? $"+{Credits(amount)}" : Credits(amount).Replace('-', '−');

    public static string Count(long number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    public static string Percent(long part, long whole) =>
        whole <= 0 ? "" : (100m * part / whole).ToString("0", CultureInfo.InvariantCulture) + " %";

    public static string Absolute(DateTimeOffset at) =>
        at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) + " UTC";

    public static string Iso(DateTimeOffset at) => at.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);

    /// <summary>Such as `3 min ago` or `in 2 h`.</summary>
    public static string Relative(DateTimeOffset at, DateTimeOffset now)
    {
        var apart = Span((now - at).Duration());
        return apart == "0 s" ? "now" : at <= now ? $"{apart} ago" : $"in {apart}";
    }

    /// <summary>The largest unit alone.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { TotalSeconds: < 1 } => "0 s",
        { TotalSeconds: < 60 } => Whole(span.TotalSeconds, "s"),
        { TotalMinutes: < 60 } => Whole(span.TotalMinutes, "min"),
        { TotalHours: < 48 } => Whole(span.TotalHours, "h"),
        { TotalDays: < 730 } => Whole(span.TotalDays, "d"),
        _ => Whole(span.TotalDays / 365.25, "years"),
    };

    /// <summary>
    /// A text of a user on one line: marks that turn the direction of writing and control characters are shown as what they are, and the
    /// rest of a very long one is left out.
    /// </summary>
    public static string Visible(string? text) =>
        text is null ? "" : Hidden().Replace(text.Length > LongestShown ? $"{text[..LongestShown]}…" : text, "\uFFFD");

    /// <summary>The same for a sentence, which is shown whole.</summary>
    public static string Sentence(string? text) =>
        text is null ? "" : Hidden().Replace(text.Length > LongestSentence ? $"{text[..LongestSentence]}…" : text, "\uFFFD");

    /// <summary>A segment of an address.</summary>
    public static string Segment(string text) => Uri.EscapeDataString(text);

    private static string Whole(double number, string unit) =>
        string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(number):0} {unit}");

    // A lone half of a surrogate pair is one of them too.
    [GeneratedRegex(@"[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])")]
    private static partial Regex Hidden();
}
