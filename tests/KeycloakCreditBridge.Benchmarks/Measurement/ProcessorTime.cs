using System.Globalization;

namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>Seconds of a core that were used up to now, from Linux' /proc; zero on other systems.</summary>
internal sealed class ProcessorTime
{
    private const double TicksPerSecond = 100;

    private readonly int _postmaster;

    private ProcessorTime(int postmaster) => _postmaster = postmaster;

    public static async Task<ProcessorTime> OfServerAsync(BenchmarkDatabase database)
    {
        var session = await database.ScalarAsync<int>("select pg_backend_pid()");
        return new ProcessorTime(OperatingSystem.IsLinux() ? (int)Field(StatOf($"/proc/{session}/stat"), 4) : 0);
    }

    /// <summary>PostgreSQL, sessions that have ended among it.</summary>
    public double Postgres => !OperatingSystem.IsLinux() ? 0 : (Used(StatOf($"/proc/{_postmaster}/stat"), withEnded: true)
        + Directory.GetDirectories("/proc").Select(folder => StatOf(Path.Combine(folder, "stat")))
            .Where(
                stat => stat.Length > 0 && (int)Field(stat, 4) == _postmaster).Sum(stat => Used(stat, withEnded: false))) / TicksPerSecond;

    /// <summary>Waits until sessions that end are counted as ended: between the two they are counted nowhere.</summary>
    public static async Task SettleAsync(BenchmarkDatabase database)
    {
        while (await database.ScalarAsync<long>("select count(*) from pg_stat_activity where application_name = 'pgbench'") > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(20));
        // The server's own bookkeeping comes just before the end of the process.
        await Task.Delay(TimeSpan.FromMilliseconds(300));
    }

    /// <summary>Everything that this machine runs.</summary>
    public static double Machine
    {
        get
        {
            if (!OperatingSystem.IsLinux())
                return 0;
            // user, nice, system, idle, iowait, irq, softirq
            var ticks = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Skip(1).Select(text => double.Parse(text, CultureInfo.InvariantCulture)).ToArray();
            return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / TicksPerSecond;
        }
    }

    private static double Used(string stat, bool withEnded) =>
        Field(stat, 14) + Field(stat, 15) + (withEnded ? Field(stat, 16) + Field(stat, 17) : 0);

    // The second field is a name in brackets, in which anything may stand.
    private static double Field(string stat, int number) =>
        double.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[number - 3], CultureInfo.InvariantCulture);

    private static string StatOf(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path) : "";
        }
        catch (IOException)
        {
            // It has ended by itself.
            return "";
        }
    }
}
