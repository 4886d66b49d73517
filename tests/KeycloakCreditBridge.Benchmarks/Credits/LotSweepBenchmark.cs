using System.Diagnostics;
using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Sweep;
using KeycloakCreditBridge.Sandbox.Postgres;
using Microsoft.Extensions.Logging.Abstractions;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>
/// The sweep of accounts whose trial ended unspent, against one UPDATE … FROM each of accounts and grants and a binary COPY of the same
/// ledger and audit rows.
/// </summary>
internal static class LotSweepBenchmark
{
    private const string NewBalancesSql =
        "create table swept as select user_id, 0::numeric as balance from user_credits; analyze swept";

    private const string UpdateSql =
        """
        update user_credits c set credits_remaining = s.balance, next_expiry = null, updated_at = now()
        from swept s where c.user_id = s.user_id;
        update credit_grants g set closed_at = g.expires_at, close_reason = 'expired' from swept s where g.user_id = s.user_id
        """;

    public static async Task<Result> RunAsync(PrivatePostgres server, int accounts, Func<int, int, string> fill)
    {
        var reference = await TimeAsync(server, accounts, fill, CopyAsync);
        var ours = await TimeAsync(server, accounts, fill, SweepAsync);
        return new Result(
            $"sweep of {accounts:N0} due lots", $"{accounts / ours:N0} lots/s",
            $"UPDATE … FROM and binary COPY of the same rows: {accounts / reference:N0}/s", reference / ours);
    }

    private static async Task<double> TimeAsync(
        PrivatePostgres server, int accounts, Func<int, int, string> fill, Func<BenchmarkDatabase, Task> work)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await database.ExecuteAsync(fill(accounts, 1));
        await database.ExecuteAsync("vacuum (analyze) user_credits, credit_transactions, credit_grants");
        await database.ExecuteAsync(NewBalancesSql);
        await database.ExecuteAsync("checkpoint");
        var started = Stopwatch.GetTimestamp();
        await work(database);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return await database.ScalarAsync<long>("select count(*) from user_credits where credits_remaining = 0 and next_expiry is null")
            == accounts && await database.ScalarAsync<long>("select count(*) from audit_logs") == accounts
            ? seconds
            : throw new InvalidOperationException("Not every lot was swept.");
    }

    private static Task SweepAsync(BenchmarkDatabase database) => new LotSweep(
        database.NewBooking(), new GrantsMetrics(new Meter("benchmarks")), TimeProvider.System, NullLogger<LotSweep>.Instance)
        .RunAsync(CancellationToken.None);

    private static async Task CopyAsync(BenchmarkDatabase database)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync();
        List<string> ids = [];
        await using (var read = connection.CreateCommand())
        {
            read.CommandText = "select user_id from swept";
            await using var reader = await read.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                ids.Add(reader.GetString(0));
        }

        await database.ExecuteAsync(UpdateSql);
        var now = DateTime.UtcNow;
        await using (var writer = await connection.BeginBinaryImportAsync(
            "copy credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key) from stdin "
                + "(format binary)"))
        {
            foreach (var id in ids)
            {
                await writer.StartRowAsync();
                await writer.WriteAsync(id, NpgsqlDbType.Text);
                await writer.WriteAsync(-5m, NpgsqlDbType.Numeric);
                await writer.WriteAsync(0m, NpgsqlDbType.Numeric);
                await writer.WriteAsync("adjustment", NpgsqlDbType.Text);
                await writer.WriteAsync(
                    """{"reason": "expired", "grant": "signup", "granted": "5.000000", "ended_at": "2026-11-30T00:00:00+00:00"}""",
                    NpgsqlDbType.Jsonb);
                await writer.WriteAsync(now, NpgsqlDbType.TimestampTz);
                await writer.WriteAsync("expire:signup", NpgsqlDbType.Text);
            }

            await writer.CompleteAsync();
        }

        await using var audit = await connection.BeginBinaryImportAsync(
            "copy audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata) from stdin (format binary)");
        foreach (var id in ids)
        {
            await audit.StartRowAsync();
            await audit.WriteAsync(now, NpgsqlDbType.TimestampTz);
            await audit.WriteAsync(id, NpgsqlDbType.Text);
            await audit.WriteAsync("credit.expired", NpgsqlDbType.Text);
            await audit.WriteAsync("success", NpgsqlDbType.Text);
            await audit.WriteAsync("user_credits", NpgsqlDbType.Text);
            await audit.WriteAsync(id, NpgsqlDbType.Text);
            await audit.WriteAsync(
                """{"grant": "signup", "amount": "5.000000", "granted": "5.000000", "ended_at": "2026-11-30T00:00:00+00:00"}""",
                NpgsqlDbType.Jsonb);
        }

        await audit.CompleteAsync();
    }
}
