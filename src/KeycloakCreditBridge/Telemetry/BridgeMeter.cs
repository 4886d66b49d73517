using System.Diagnostics.Metrics;

namespace KeycloakCreditBridge.Telemetry;

/// <summary>The one meter that all of the bridge's instruments belong to.</summary>
internal static class BridgeMeter
{
    public const string Name = "KeycloakCreditBridge";

    /// <summary>Upper bounds in seconds for what takes from milliseconds to minutes.</summary>
    public static readonly IReadOnlyList<double> MomentBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

    /// <summary>Histogram buckets for what takes from milliseconds to minutes.</summary>
    public static readonly InstrumentAdvice<double> Moments = new() { HistogramBucketBoundaries = MomentBounds };

    /// <summary>Histogram buckets for what takes from a tenth of a second to six hours.</summary>
    public static readonly InstrumentAdvice<double> Runs =
        new() { HistogramBucketBoundaries = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 21600] };

    /// <summary>A tag's value for each counter that is to start at 0.</summary>
    public static void StartAtZero(this Counter<long> counter, string tag, IEnumerable<string> values)
    {
        foreach (var value in values)
            counter.Add(0, new KeyValuePair<string, object?>(tag, value));
    }

    /// <summary>Two tags' values, each with each, for a counter that is to start at 0.</summary>
    public static void StartAtZero(
        this Counter<long> counter, string tag, IEnumerable<string> values, string otherTag, IReadOnlyCollection<string> otherValues)
    {
        foreach (var value in values)
        {
            foreach (var other in otherValues)
                counter.Add(0, new(tag, value), new(otherTag, other));
        }
    }
}
