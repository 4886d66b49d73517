using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Page.Runs;

/// <summary>What runs found, day by day.</summary>
internal sealed class RunHistoryStore(NpgsqlDataSource dataSource)
{
    private const string ByDaySql =
        """
        select to_char(d.day at time zone 'UTC', 'YYYY-MM-DD') as day, coalesce(sum(r.missing), 0)::bigint as missing, count(r.id) as runs
        from generate_series(@From::timestamptz, @To::timestamptz, interval '1 day') as d (day)
        left join reconcile_runs r
            on r.realm = @Realm and not r.dry_run and r.started_at >= d.day and r.started_at < d.day + interval '1 day'
        group by d.day
        order by d.day
        """;

    /// <param name="from">The first day, at its beginning.</param>
    /// <param name="to">The last day, at its beginning.</param>
    public async Task<IReadOnlyList<RunDay>> ByDayAsync(
        string realm, DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<RunDay>(
            new CommandDefinition(ByDaySql, new { Realm = realm, From = from, To = to }, cancellationToken: cancellationToken))];
    }
}

/// <param name="Missing">Users without an account that runs of the day found.</param>
internal sealed record RunDay(string Day, long Missing, long Runs);
