using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Postgres;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>PostgreSQL's own load generator, as the reference for a statement.</summary>
internal static class Pgbench
{
    /// <summary>Transactions a second that the script reaches.</summary>
    public static async Task<double> RunAsync(BenchmarkDatabase database, string text, int clients, TimeSpan duration)
    {
        var script = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(script, text);
            var address = new NpgsqlConnectionStringBuilder(database.ConnectionString);
            var start = new ProcessStartInfo(await FindAsync("pgbench"))
            {
                RedirectStandardOutput = true,
                ArgumentList =
                {
                    "-n", "-M", "prepared", "-c", $"{clients}", "-j", "2", "-T",
                    duration.TotalSeconds.ToString("0", CultureInfo.InvariantCulture),
                    "-f", script, "-h", address.Host!, "-p", $"{address.Port}", "-U", address.Username!, database.Name,
                },
                Environment = { ["PGPASSWORD"] = address.Password },
            };
            using var pgbench = Process.Start(start)!;
            var output = await pgbench.StandardOutput.ReadToEndAsync();
            await pgbench.WaitForExitAsync();
            return double.Parse(Regex.Match(output, @"tps = ([\d.]+)").Groups[1].Value, CultureInfo.InvariantCulture);
        }
        finally
        {
            File.Delete(script);
        }
    }

    /// <summary>Another program of the server's.</summary>
    /// <remarks>A link to the server's programs need not stand beside one to this.</remarks>
    public static async Task<string> FindAsync(string program)
    {
        var server = Path.Combine(await PostgresBinaries.FindOrInstallAsync(null, CancellationToken.None), "postgres");
        var folder = Path.GetDirectoryName(File.ResolveLinkTarget(server, returnFinalTarget: true)?.FullName ?? server)!;
        return Path.Combine(folder, program);
    }
}
