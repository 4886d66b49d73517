using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Lists and retries refused usage records.</summary>
internal sealed class RefusalStore(NpgsqlDataSource dataSource, TimeProvider clock)
{
    private const string ListSql =
        """
        select id, refused_at, error, record, count(*) over () as total from usage_refusals
        order by refused_at desc, id desc
        limit @Limit
        """;

    // Each becomes a report of its own, so that a bad record does not affect the others.
    private const string RetrySql =
        """
        with chosen as (
            delete from usage_refusals where @All::boolean or id = any (@Ids::bigint[])
            returning id, record),
        retried as (
            insert into usage_batches (body, received_at, due_at)
            select record, @Now::timestamptz, @Now from chosen)
        select id from chosen
        """;

    /// <summary>The latest refusals first.</summary>
    public async Task<IReadOnlyList<RefusedUsage>> ListAsync(int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<RefusedUsage>(
            new CommandDefinition(ListSql, new { Limit = limit }, cancellationToken: cancellationToken))];
    }

    /// <summary>Makes refused records due again as reports, and returns their numbers. Each is charged at most once.</summary>
    public async Task<IReadOnlyList<long>> RetryAsync(IReadOnlyCollection<long> ids, bool all, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var wanted = new { All = all, Ids = ids.ToArray(), Now = clock.GetUtcNow().UtcDateTime };
        return [.. await connection.QueryAsync<long>(new CommandDefinition(RetrySql, wanted, cancellationToken: cancellationToken))];
    }
}

/// <summary>A refused record.</summary>
/// <param name="Total">How many there are in all.</param>
internal sealed record RefusedUsage(long Id, DateTimeOffset RefusedAt, string Error, byte[] Record, long Total);
