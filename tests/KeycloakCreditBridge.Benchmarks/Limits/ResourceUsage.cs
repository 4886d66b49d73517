using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Limits;

/// <summary>What work costs beside time.</summary>
/// <param name="Seconds">How long it took.</param>
/// <param name="Wal">Bytes of WAL.</param>
/// <param name="Postgres">Seconds of a core that PostgreSQL used.</param>
/// <param name="Own">The same of this process.</param>
internal sealed record ResourceUsage(double Seconds, long Wal, double Postgres, double Own)
{
    private const string WalSql = "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint";

    public static async Task<ResourceUsage> OfAsync(BenchmarkDatabase database, Func<Task> work)
    {
        await database.ExecuteAsync("checkpoint");
        var processors = await ProcessorTime.OfServerAsync(database);
        var (wal, postgres, own) = (await database.ScalarAsync<long>(WalSql), processors.Postgres, Environment.CpuUsage.TotalTime);
        var started = Stopwatch.GetTimestamp();
        await work();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new ResourceUsage(
            seconds, await database.ScalarAsync<long>(WalSql) - wal, processors.Postgres - postgres,
            (Environment.CpuUsage.TotalTime - own).TotalSeconds);
    }

    /// <summary>For each of so many users.</summary>
    public string Per(double users) =>
        FormattableString.Invariant($"{Wal / users:N0} bytes of WAL, {Postgres / users * 1e6:N0} µs of a core in PostgreSQL, ") +
        FormattableString.Invariant($"{Own / users * 1e6:N0} µs in this process");

    /// <summary>How many users a second would keep all cores busy.</summary>
    public string Ceiling(double users) => FormattableString.Invariant(
        $"{users / Seconds:N0} users/s measured; all cores are full at {Environment.ProcessorCount * users / (Postgres + Own):N0}/s");
}

/// <summary>Rows of the bridge's tables that were written since the database was made, and those that were left dead.</summary>
internal sealed record RowCounts(long Inserted, long Updated, long Deleted)
{
    private const string EndedSql =
        "select count(*) = 0 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = " +
        "'client backend'";

    private const string CountsSql =
        """
        select sum(n_tup_ins)::bigint, sum(n_tup_upd)::bigint, sum(n_tup_del)::bigint
        from pg_stat_user_tables where relname = any ($1)
        """;

    private static readonly string[] Accounts = ["user_credits", "credit_transactions", "audit_logs", "keycloak_users"];

    public long Written => Inserted + Updated + Deleted;

    /// <summary>An update leaves the row as it was before, a deletion the row, for vacuum to take away.</summary>
    public long Dead => Updated + Deleted;

    public static RowCounts operator -(RowCounts left, RowCounts right) => Subtract(left, right);

    public static RowCounts Subtract(RowCounts left, RowCounts right) =>
        new(left.Inserted - right.Inserted, left.Updated - right.Updated, left.Deleted - right.Deleted);

    public static Task<RowCounts> OfAccountsAsync(BenchmarkDatabase database) => ReadAsync(database, Accounts);

    public static Task<RowCounts> OfGrantsAsync(BenchmarkDatabase database) =>
        ReadAsync(database, [.. Accounts, "credit_grants", "grant_claims", "granted_emails", "grant_budgets"]);

    public static Task<RowCounts> OfHintsAsync(BenchmarkDatabase database) => ReadAsync(database, ["user_hints"]);

    // A session reports its counts when it ends.
    private static async Task<RowCounts> ReadAsync(BenchmarkDatabase database, string[] tables)
    {
        database.DataSource.Clear();
        while (!await database.ScalarAsync<bool>(EndedSql))
            await Task.Delay(TimeSpan.FromMilliseconds(20));
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var counts = new NpgsqlCommand(CountsSql, connection) { Parameters = { new() { Value = tables } } };
        await using var reader = await counts.ExecuteReaderAsync();
        await reader.ReadAsync();
        return new RowCounts(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2));
    }
}
