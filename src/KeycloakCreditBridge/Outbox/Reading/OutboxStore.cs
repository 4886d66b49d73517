using Dapper;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Outbox.Reading;

/// <summary>Reads recorded events, and deletes old ones.</summary>
internal sealed class OutboxStore(NpgsqlDataSource dataSource)
{
    private const string Columns = "o.seq, o.id, o.account_id, o.type, o.data::text as data, o.at";

    private const string NextSql =
        $"""
        select {Columns} from outbox o
        where o.seq > @After::bigint and o.seq <= @Last::bigint
        order by o.seq
        limit @Limit::integer
        """;

    private const string LastSql = "select coalesce(max(seq), 0) from outbox";

    private const string FenceSql = "select pg_current_xact_id()::text::bigint";

    private const string OldestOpenSql = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint";

    // From the first place on, as a condition on the time alone would read all events where none is old.
    private const string PurgeSql =
        """
        delete from outbox where seq in (
            select f.seq from (select o.seq, o.at from outbox o order by o.seq limit @Limit::integer) f where f.at < @Before::timestamptz)
        """;

    /// <summary>Events in the order of their places.</summary>
    /// <param name="after">The place before the first.</param>
    /// <param name="last">The last place, see <see cref="OutboxTip"/>.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public Task<IReadOnlyList<OutboxEvent>> NextAsync(long after, long last, int limit, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<OutboxEvent>(
            NextSql,
            [
                new("After", NpgsqlDbType.Bigint) { Value = after },
                new("Last", NpgsqlDbType.Bigint) { Value = last },
                new("Limit", NpgsqlDbType.Integer) { Value = limit },
            ],
            cancellationToken);

    /// <summary>
    /// The last place that has been given so far, and the fence: once no transaction before it is open, all places up to the last are
    /// known. A transaction has its id before it gets a place, so the place is read first.
    /// </summary>
    /// <param name="known">A place up to which all is known already.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    /// <returns>The fence is 0 where it is passed already.</returns>
    public async Task<(long Last, long Fence)> FenceAsync(long known, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var last = await ScalarAsync(connection, LastSql, cancellationToken);
        if (last <= known)
            return (known, 0);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var fence = await ScalarAsync(connection, FenceSql, cancellationToken);
        var oldest = await ScalarAsync(connection, OldestOpenSql, cancellationToken);
        return (last, oldest >= fence ? 0 : fence);
    }

    /// <summary>The oldest transaction that is open.</summary>
    public async Task<long> OldestOpenAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await ScalarAsync(connection, OldestOpenSql, cancellationToken);
    }

    /// <summary>Deletes the oldest events, as far as they are older than this, and returns how many.</summary>
    public async Task<int> PurgeAsync(DateTimeOffset before, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(new CommandDefinition(
            PurgeSql, new { Before = before.UtcDateTime, Limit = limit }, cancellationToken: cancellationToken));
    }

    private static Task<long> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken) =>
        connection.ExecuteScalarAsync<long>(new CommandDefinition(sql, cancellationToken: cancellationToken));
}
