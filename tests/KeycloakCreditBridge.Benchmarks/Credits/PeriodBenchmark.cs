using System.Diagnostics;
using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Postgres;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>
/// The end of all accounts' periods, every second account with credits left, against one UPDATE … FROM a table of the new balances and a
/// binary COPY of the same ledger rows in the same order.
/// </summary>
internal static class PeriodBenchmark
{
    private const string FillSql =
        """
        with users as (select gen_random_uuid()::text as id, n from generate_series(1, $1) n),
        accounts as (
            insert into user_credits (user_id, tier, credits_remaining, credits_allocated, monthly_cap, last_reset, created_at, updated_at,
                source, realm, keycloak_id)
            select id, 'trial', n % 2, 5, 5, now() - interval '1 hour', now() - interval '30 days', now(), 'webhook', 'demo', id from users)
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
        select id, n % 2, n % 2, 'purchase', '{}', now() - interval '30 days', 'signup' from users
        """;

    private const string NewBalancesSql =
        """
        create table renewed as select user_id, 5::numeric as balance, last_reset + interval '720 hours' as ends from user_credits;
        analyze renewed
        """;

    private const string UpdateSql =
        """
        update user_credits c set credits_remaining = r.balance, credits_allocated = 5, last_reset = r.ends, updated_at = now()
        from renewed r where c.user_id = r.user_id
        """;

    public static async Task<Result> RunAsync(PrivatePostgres server, int accounts)
    {
        var reference = await TimeAsync(server, accounts, CopyAsync);
        var ours = await TimeAsync(server, accounts, ResetAsync);
        return new Result(
            $"{accounts:N0} accounts into a new period, {accounts * 3 / 2:N0} ledger rows", $"{accounts / ours:N0} accounts/s",
            $"UPDATE … FROM and binary COPY of the same rows: {accounts / reference:N0}/s", reference / ours);
    }

    private static async Task<double> TimeAsync(PrivatePostgres server, int accounts, Func<BenchmarkDatabase, Task<double>> work)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await ExecuteWithoutTimeoutAsync(database, FillSql, accounts);
        await ExecuteWithoutTimeoutAsync(database, "vacuum (analyze) user_credits, credit_transactions");
        await ExecuteWithoutTimeoutAsync(database, "checkpoint");
        var seconds = await work(database);
        if (await database.ScalarAsync<long>("select count(*) from credit_transactions where grant_key <> 'signup'") != accounts * 3L / 2
            || await database.ScalarAsync<long>(
                "select count(*) from user_credits where credits_remaining = 5 and last_reset > now()") != accounts)
        {
            throw new InvalidOperationException("Not every account is in a new period.");
        }

        return seconds;
    }

    private static async Task<double> ResetAsync(BenchmarkDatabase database)
    {
        var reset = new PeriodReset(
            new PeriodStore(database.DataSource), new PeriodsMetrics(new Meter("benchmarks")),
            Hot.Of(new PeriodRules(Options.Create(new PeriodsOptions()), Options.Create(new ProvisioningOptions()))), TimeProvider.System,
            NullLogger<PeriodReset>.Instance);
        var started = Stopwatch.GetTimestamp();
        await reset.RunAsync(CancellationToken.None);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task<double> CopyAsync(BenchmarkDatabase database)
    {
        await ExecuteWithoutTimeoutAsync(database, NewBalancesSql);
        await using var connection = await database.DataSource.OpenConnectionAsync();
        List<(string Id, bool HasLeft)> rows = [];
        await using (var read = connection.CreateCommand())
        {
            read.CommandText = "select user_id, credits_remaining > 0 from user_credits order by user_id";
            await using var reader = await read.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                rows.Add((reader.GetString(0), reader.GetBoolean(1)));
        }

        var now = DateTime.UtcNow;
        var started = Stopwatch.GetTimestamp();
        await ExecuteWithoutTimeoutAsync(database, UpdateSql);
        await using (var writer = await connection.BeginBinaryImportAsync(
            "copy credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key) from stdin " +
            "(format binary)"))
        {
            foreach (var (id, hasLeft) in rows)
            {
                if (hasLeft)
                    await RowAsync(id, -1m, 0m, "adjustment", """{"tier": "trial", "reason": "period_ended"}""", "forfeit:2026-11-23");
                await RowAsync(id, 5m, 5m, "bonus", """{"tier": "trial", "reason": "period_reset"}""", "reset:2026-11-23");
            }

            await writer.CompleteAsync();

            async Task RowAsync(string id, decimal amount, decimal after, string type, string metadata, string key)
            {
                await writer.StartRowAsync();
                await writer.WriteAsync(id, NpgsqlDbType.Text);
                await writer.WriteAsync(amount, NpgsqlDbType.Numeric);
                await writer.WriteAsync(after, NpgsqlDbType.Numeric);
                await writer.WriteAsync(type, NpgsqlDbType.Text);
                await writer.WriteAsync(metadata, NpgsqlDbType.Jsonb);
                await writer.WriteAsync(now, NpgsqlDbType.TimestampTz);
                await writer.WriteAsync(key, NpgsqlDbType.Text);
            }
        }

        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    // Without the settings that suit the bridge's own statements: as PostgreSQL runs it by default.
    private static async Task ExecuteWithoutTimeoutAsync(BenchmarkDatabase database, string sql, params int[] parameters)
    {
        var settings = new NpgsqlConnectionStringBuilder(
            database.ConnectionString) { CommandTimeout = 0, Options = "-c jit=off", Pooling = false };
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync();
#pragma warning disable CA2100 // The statements are constants.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        foreach (var value in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        await command.ExecuteNonQueryAsync();
    }
}
