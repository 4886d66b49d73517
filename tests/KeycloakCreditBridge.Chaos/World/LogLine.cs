using System.Globalization;

namespace KeycloakCreditBridge.Chaos.World;

/// <param name="Level">`INF`, `WRN`, `ERR`.</param>
/// <param name="Event">The number of the event; 0 for lines without one.</param>
internal sealed record LogLine(DateTimeOffset At, string Level, int Event, string Text)
{
    private const string TimeFormat = "yyyy-MM-dd HH:mm:ss.fffzzz";

    /// <summary>Null for lines that belong to an exception.</summary>
    public static LogLine? Parse(string line)
    {
        var parts = line.Split(' ', 5, StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 5 && DateTimeOffset.TryParseExact(
            $"{parts[0]} {parts[1]}", TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out var at)
            ? new LogLine(at, parts[2], int.TryParse(parts[3], CultureInfo.InvariantCulture, out var number) ? number : 0, line)
            : null;
    }
}
