using System.Globalization;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Benchmarks.Limits;

/// <summary>How often the disk confirms: by PostgreSQL's own test, and by transactions that write one small row.</summary>
internal static class DiskBenchmark
{
    private const string InsertScript = "insert into floor (id) values (gen_random_uuid());\n";

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, TimeSpan duration)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await database.ExecuteAsync("create table floor (id uuid primary key)");
        var alone = await Pgbench.RunAsync(database, InsertScript, clients: 1, duration);
        var together = await Pgbench.RunAsync(database, InsertScript, clients: 16, duration);
        return
        [
            new Result("fdatasync of 8 kB", $"{await FsyncAsync():N0}/s", "pg_test_fsync, where the database is kept"),
            new Result("transactions that insert one row of an id", $"{alone:N0}/s", "pgbench, 1 client"),
            new Result("the same", $"{together:N0}/s", "pgbench, 16 clients"),
        ];
    }

    private static async Task<double> FsyncAsync()
    {
        var file = Path.Combine(Path.GetTempPath(), $"fsync-{Guid.NewGuid():n}");
        try
        {
            var output = await Command.RunAsync([await Pgbench.FindAsync("pg_test_fsync"), "-s", "1", "-f", file], CancellationToken.None);
            return double.Parse(Regex.Match(output, @"fdatasync\s+([\d.]+) ops/sec").Groups[1].Value, CultureInfo.InvariantCulture);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
