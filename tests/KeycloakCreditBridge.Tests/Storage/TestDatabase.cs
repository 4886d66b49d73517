using Dapper;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Storage;

/// <summary>A database of one test. When it is disposed of, the rules that must always hold are checked.</summary>
internal sealed class TestDatabase(string connectionString, Func<Task>? drop = null) : IAsyncDisposable
{
    private const string BrokenAccountsSql =
        """
        select c.user_id from user_credits c
        left join (select user_id, sum(amount) as total, count(*) filter (where grant_key = 'signup') as openings
                   from credit_transactions group by user_id) t using (user_id)
        left join (select user_id, count(*) as created from audit_logs where action = 'credit.create' group by user_id) a using (user_id)
        where c.source is not null and (t.total is distinct from c.credits_remaining or t.openings <> 1 or coalesce(a.created, 0) < 1)
        """;

    public string ConnectionString { get; } = Pooled(connectionString);

    public string Name => new NpgsqlConnectionStringBuilder(ConnectionString).Database!;

    public NpgsqlDataSource DataSource { get; } = Options(connectionString).BuildDataSource();

    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        return [.. await connection.QueryAsync<T>(sql, parameters)];
    }

    public async Task<T?> ScalarAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<T>(sql, parameters);
    }

    public Task<int> ExecuteAsync(string sql, object? parameters = null) =>
        RunAsync(connection => connection.ExecuteAsync(sql, parameters));

    private static StorageOptions Options(string connectionString) =>
        new() { ConnectionString = connectionString + ";Maximum Pool Size=40" };

    private static string Pooled(string connectionString) => Options(connectionString).BuildConnectionString();

    /// <summary>Every account that the bridge opened has one opening, an audit row and a ledger that adds up to its balance.</summary>
    public async Task AssertLedgerAsync()
    {
        if (await ScalarAsync<bool>("select to_regclass('user_credits') is not null and to_regclass('audit_logs') is not null"))
            Assert.Empty(await QueryAsync<string>(BrokenAccountsSql));
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await AssertLedgerAsync();
        }
        finally
        {
            await DataSource.DisposeAsync();
            if (drop is not null)
                await drop();
        }
    }

    private async Task<T> RunAsync<T>(Func<NpgsqlConnection, Task<T>> work)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        return await work(connection);
    }
}
