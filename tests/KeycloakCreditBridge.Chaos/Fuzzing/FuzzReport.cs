using System.Globalization;

namespace KeycloakCreditBridge.Chaos.Fuzzing;

/// <summary>Reads fuzzed bodies and says what came of them.</summary>
internal static class FuzzReport
{
    // Of a long body a reader may hold a document with its index and a copy.
    private const double LargestPerByte = 100;

    /// <summary>The exit code: 0 when every reader read or refused each body, in memory of the order of the body's length.</summary>
    public static int Of(int seed, int bodies, Action<string> say)
    {
        var run = new FuzzRun(seed);
        say(Text($"seed {seed}: {bodies:N0} bodies for {run.Tallies.Count} readers"));
        run.Read(0, bodies, Environment.ProcessorCount);
        foreach (var (name, tally) in run.Tallies)
        {
            say(Text($"   {name,-13} took {tally.Taken:N0}, refused {tally.Refused:N0}, at most {tally.MostAllocated / 1024.0:N0} KiB")
                + Text($" and {tally.MostPerByte:0.0} bytes a byte, slowest {tally.Slowest.TotalMilliseconds:0.0} ms"));
        }

        string[] wasteful =
        [
            .. run.Tallies.Where(tally => tally.Value.MostPerByte > LargestPerByte)
                .Select(tally => Text($"{tally.Key}: {tally.Value.MostPerByte:0.0} bytes of memory a byte, more than {LargestPerByte}")),
        ];
        say(Text($"{run.Findings.Count + wasteful.Length:N0} findings"));
        foreach (var finding in run.Findings.Concat(wasteful))
            say($"   {finding}");
        return run.Findings.Count + wasteful.Length == 0 ? 0 : 1;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
