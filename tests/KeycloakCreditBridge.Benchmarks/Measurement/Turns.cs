using System.Diagnostics;

namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>Values of something that was measured by turns with something else.</summary>
internal sealed class Turns(IEnumerable<double> values)
{
    private readonly double[] _values = [.. values.Order()];

    /// <summary>What one disturbed turn does not move.</summary>
    public double Median => (_values[(_values.Length - 1) / 2] + _values[_values.Length / 2]) / 2;

    public static async Task<double> SecondsAsync(Func<Task> work)
    {
        var started = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    public string Text(string unit) =>
        FormattableString.Invariant($"{Median:0.##} {unit} ({_values[0]:0.##} to {_values[^1]:0.##}, {_values.Length} turns)");
}
