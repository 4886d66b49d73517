using System.Globalization;

namespace KeycloakCreditBridge.Chaos.World;

/// <summary>What a replica's metrics were at a time; no series when it did not answer.</summary>
internal sealed record Scrape(DateTimeOffset At, int Replica, IReadOnlyDictionary<string, double>? Series)
{
    private static readonly string[] Kept =
        ["bridge_", "db_client_", "http_client_request_duration_seconds_count", "http_client_request_duration_seconds_sum"];

    public bool IsUp => Series is not null;

    /// <summary>The sum of the series that contain all of these parts.</summary>
    public double Sum(params ReadOnlySpan<string> parts)
    {
        var sum = 0d;
        foreach (var (name, value) in Series ?? new Dictionary<string, double>())
        {
            var isMeant = true;
            foreach (var part in parts)
                isMeant &= name.Contains(part, StringComparison.Ordinal);
            if (isMeant)
                sum += value;
        }

        return sum;
    }

    public static Scrape Parse(DateTimeOffset at, int replica, string text)
    {
        var series = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var line in text.Split('\n'))
        {
            if (line.LastIndexOf(' ') is > 0 and var end && Array.Exists(Kept, kept => line.StartsWith(kept, StringComparison.Ordinal))
                && double.TryParse(line.AsSpan(end + 1), CultureInfo.InvariantCulture, out var value))
                series[line[..end]] = value;
        }

        return new Scrape(at, replica, series);
    }
}
