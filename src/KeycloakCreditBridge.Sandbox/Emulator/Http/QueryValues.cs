using System.Globalization;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Sandbox.Emulator.Http;

/// <summary>Query parameters read the way Keycloak reads them, oddities included.</summary>
internal static partial class QueryValues
{
    public const int DefaultPage = 100;

    private const long DayMilliseconds = 86_400_000;

    public static string? Value(this IQueryCollection query, string name) => query[name] is [{ Length: > 0 } value, ..] ? value : null;

    /// <summary>Java's parseBoolean: all but "true" is false.</summary>
    public static bool? Flag(this IQueryCollection query, string name) =>
        query.Value(name) is { } value ? value.Equals("true", StringComparison.OrdinalIgnoreCase) : null;

    /// <summary>A value that is not a number makes the resource unknown: 404.</summary>
    public static int Number(this IQueryCollection query, string name, int absent) => query.Value(name) switch
    {
        null => absent,
        { } value when int.TryParse(value, CultureInfo.InvariantCulture, out var number) => number,
        _ => throw RefusalException.NotFound,
    };

    /// <summary>A bound in milliseconds; a date stands for its first or, as an upper bound, its last millisecond.</summary>
    public static long? Time(this IQueryCollection query, string name, bool upper)
    {
        if (query.Value(name) is not { } value)
            return null;
        if (long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds))
            return milliseconds;
        if (!DateOnly.TryParseExact(value, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
            throw RefusalException.Error(400, $"Invalid value for '{name}', expected format is yyyy-MM-dd or an Epoch timestamp");
        return Milliseconds(date) + (upper ? DayMilliseconds - 1 : 0);
    }

    /// <summary>A day as date-only servers read it: parsed leniently, so that month 13 is January of the next year.</summary>
    public static long? LenientDay(this IQueryCollection query, string name, string label)
    {
        if (!query.ContainsKey(name))
            return null;
        var match = LenientDate().Match(query[name].ToString());
        if (!match.Success)
            throw RefusalException.Error(400, $"Invalid value for '{label}', expected format is yyyy-MM-dd");
        var parts = match.Groups.Values.Skip(1).Select(group => int.Parse(group.Value, CultureInfo.InvariantCulture)).ToArray();
        return Milliseconds(new DateOnly(parts[0], 1, 1).AddMonths(parts[1] - 1).AddDays(parts[2] - 1));
    }

    /// <summary>The last millisecond of the day that starts at the given time.</summary>
    public static long EndOfDay(long start) => start + DayMilliseconds - 1;

    private static long Milliseconds(DateOnly date) =>
        new DateTimeOffset(date, TimeOnly.MinValue, TimeSpan.Zero).ToUnixTimeMilliseconds();

    [GeneratedRegex(@"^(\d{1,4})-(\d{1,2})-(\d{1,2})")]
    private static partial Regex LenientDate();
}
