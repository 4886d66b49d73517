using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Analytics.Reports;

/// <summary>Reads what was rebuilt last.</summary>
internal sealed class AnalyticsStore(NpgsqlDataSource dataSource)
{
    /// <summary>The arm of users that came into no experiment.</summary>
    public const string NoArm = "none";

    private const string GroupName =
        """
        case @By::text when 'day' then case when day = date '0001-01-01' then 'unknown' else day::text end
            when 'realm' then realm
        """;

    private const string Range =
        """
        (@Realm::text is null or realm = @Realm)
            and (day between @From::date and @To::date or @NoDay::boolean and day = date '0001-01-01')
        """;

    private const string Counts =
        """
        sum(users)::bigint as users,
            coalesce(sum(users) filter (where box in ('account', 'held', 'waiting', 'dead', 'id_taken', 'lost')), 0)::bigint as eligible,
            coalesce(sum(provisioned) filter (where box in ('account', 'held')), 0)::bigint as in_time,
            sum(provisioned)::bigint as provisioned, sum(granted)::bigint as granted, sum(first_read)::bigint as first_read,
            sum(first_spend)::bigint as first_spend, sum(exhausted)::bigint as exhausted, sum(purchased)::bigint as purchased
        """;

    private const string FunnelSql =
        $"""
        select {GroupName} when 'tier' then tier when 'source' then source when 'arm' then arm when 'box' then box
                else way end collate "C" as name,
            {Counts}
        from analytics_funnel
        where {Range}
        group by name
        order by name
        """;

    private const string UtmSql = $"select utm as name, {Counts} from analytics_utm where {Range} group by name order by name";

    // Each user's wait, or where these are too many their histogram: never both, as both are long.
    private const string WaitsSql =
        $"""
        select {GroupName} else way end collate "C" as name, users, skewed, max_ms,
            case when sum(users) over () <= @MostExact::bigint then waits end as waits,
            case when sum(users) over () > @MostExact then buckets end as buckets,
            case when sum(users) over () > @MostExact then counts end as counts
        from analytics_waits
        where {Range}
        order by name
        """;

    private const string ExpiriesSql =
        $"""
        select {GroupName} else kind end collate "C" as name, sum(accounts)::bigint as accounts, sum(credits) as credits
        from analytics_expiries
        where {Range}
        group by name
        order by name
        """;

    private const string ProvisionedSql =
        """
        select realm, coalesce(sum(provisioned) filter (where box in ('account', 'held')), 0)::bigint as in_time,
            sum(users)::bigint as eligible
        from analytics_funnel
        where day >= @From and box in ('account', 'held', 'waiting', 'dead', 'id_taken', 'lost')
        group by realm
        """;

    /// <summary>Counts by group, in the order of the groups' names. Users without a day of registration are in every range.</summary>
    /// <param name="query">Days and group.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public Task<IReadOnlyList<FunnelCounts>> FunnelAsync(AnalyticsQuery query, CancellationToken cancellationToken) =>
        QueryAsync<FunnelCounts>(query.By == "utm" ? UtmSql : FunnelSql, query, noDay: true, cancellationToken);

    /// <summary>Waits by day, realm and way under the names of their groups, which follow each other.</summary>
    /// <param name="query">Days and group.</param>
    /// <param name="mostExact">Up to so many users in all each wait is told, else histograms.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public async Task<IReadOnlyList<WaitCounts>> WaitsAsync(AnalyticsQuery query, long mostExact, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var reader = await connection.ExecuteReaderAsync(
            new CommandDefinition(
                WaitsSql,
                new { query.By, query.Realm, query.From, query.To, NoDay = false, MostExact = mostExact },
                cancellationToken: cancellationToken));
        List<WaitCounts> waits = [];
        while (await reader.ReadAsync(cancellationToken))
            waits.Add(new WaitCounts(
                reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3),
                Values<long>(4), Values<int>(5), Values<int>(6)));
        return waits;

        T[] Values<T>(int column) => reader.IsDBNull(column) ? [] : reader.GetFieldValue<T[]>(column);
    }

    public Task<IReadOnlyList<ExpiryCounts>> ExpiriesAsync(AnalyticsQuery query, CancellationToken cancellationToken) =>
        QueryAsync<ExpiryCounts>(ExpiriesSql, query, noDay: false, cancellationToken);

    /// <summary>How many users since this day should have an account, and how many have one, by realm.</summary>
    public async Task<IReadOnlyList<ProvisionedShare>> ProvisionedAsync(DateOnly from, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<ProvisionedShare>(
            new CommandDefinition(ProvisionedSql, new { From = from }, cancellationToken: cancellationToken))];
    }

    private async Task<IReadOnlyList<T>> QueryAsync<T>(
        string sql, AnalyticsQuery query, bool noDay, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var parameters = new { query.By, query.Realm, query.From, query.To, NoDay = noDay };
        return [.. await connection.QueryAsync<T>(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken))];
    }
}

/// <param name="Eligible">Users that should have an account, without adopted and backfilled ones.</param>
/// <param name="InTime">Those of them that have one.</param>
/// <param name="Provisioned">All with an account, adopted and backfilled ones among them.</param>
internal sealed record FunnelCounts(
    string Name, long Users, long Eligible, long InTime, long Provisioned, long Granted, long FirstRead, long FirstSpend, long Exhausted,
    long Purchased);

internal sealed record ExpiryCounts(string Name, long Accounts, decimal Credits);

internal sealed record ProvisionedShare(string Realm, long InTime, long Eligible);
