using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Analytics.Reports;

/// <summary>Reads what was rebuilt last.</summary>
internal sealed class AnalyticsStore(NpgsqlDataSource dataSource)
{
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

    private const string FunnelSql =
        $"""
        select {GroupName} when 'tier' then tier when 'source' then source when 'arm' then arm when 'box' then box
                else way end collate "C" as name,
            sum(users)::bigint as users,
            coalesce(sum(users) filter (where box in ('account', 'held', 'waiting', 'dead', 'id_taken', 'lost')), 0)::bigint as eligible,
            coalesce(sum(provisioned) filter (where box in ('account', 'held')), 0)::bigint as in_time,
            sum(provisioned)::bigint as provisioned, sum(granted)::bigint as granted, sum(first_read)::bigint as first_read,
            sum(first_spend)::bigint as first_spend, sum(exhausted)::bigint as exhausted, sum(purchased)::bigint as purchased
        from analytics_funnel
        where {Range} and (not @Arms::boolean or arm <> '')
        group by name
        order by name
        """;

    // The middle of a bucket, which is at most 2 % from each time in it.
    private const string LatencySql =
        $"""
        with summed as (
            select case @By::text when 'day' then day end as day, case @By when 'realm' then realm end as realm,
                case @By when 'way' then way end as way, bucket, sum(users) as users, sum(skewed) as skewed, max(max_ms) as max_ms
            from analytics_latency
            where {Range}
            group by 1, 2, 3, 4),
        ranked as (
            select s.*, sum(users) over by_group as total, sum(users) over (by_group order by bucket) as upto,
                sum(skewed) over by_group as all_skewed,
                case when bucket = 0 then 0 else least(power(1.04::double precision, bucket - 0.5::double precision), max_ms) end as ms
            from summed s
            window by_group as (partition by day, realm, way))
        select coalesce(day::text, realm, way) collate "C" as name, max(total)::bigint as users, max(all_skewed)::bigint as skewed,
            min(ms) filter (where upto >= total * 0.5) as p50_ms, min(ms) filter (where upto >= total * 0.9) as p90_ms,
            min(ms) filter (where upto >= total * 0.99) as p99_ms, max(max_ms)::bigint as max_ms
        from ranked
        group by day, realm, way
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
    /// <param name="onlyArms">Only users of an experiment.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public Task<IReadOnlyList<FunnelCounts>> FunnelAsync(AnalyticsQuery query, bool onlyArms, CancellationToken cancellationToken) =>
        QueryAsync<FunnelCounts>(FunnelSql, query, noDay: true, onlyArms, cancellationToken);

    public Task<IReadOnlyList<LatencyCounts>> LatencyAsync(AnalyticsQuery query, CancellationToken cancellationToken) =>
        QueryAsync<LatencyCounts>(LatencySql, query, noDay: false, onlyArms: false, cancellationToken);

    public Task<IReadOnlyList<ExpiryCounts>> ExpiriesAsync(AnalyticsQuery query, CancellationToken cancellationToken) =>
        QueryAsync<ExpiryCounts>(ExpiriesSql, query, noDay: false, onlyArms: false, cancellationToken);

    /// <summary>How many users since this day should have an account, and how many have one, by realm.</summary>
    public async Task<IReadOnlyList<ProvisionedShare>> ProvisionedAsync(DateOnly from, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<ProvisionedShare>(
            new CommandDefinition(ProvisionedSql, new { From = from }, cancellationToken: cancellationToken))];
    }

    private async Task<IReadOnlyList<T>> QueryAsync<T>(
        string sql, AnalyticsQuery query, bool noDay, bool onlyArms, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var parameters = new { query.By, query.Realm, query.From, query.To, NoDay = noDay, Arms = onlyArms };
        return [.. await connection.QueryAsync<T>(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken))];
    }
}

/// <param name="Eligible">Users that should have an account, without adopted and backfilled ones.</param>
/// <param name="InTime">Those of them that have one.</param>
/// <param name="Provisioned">All with an account, adopted and backfilled ones among them.</param>
internal sealed record FunnelCounts(
    string Name, long Users, long Eligible, long InTime, long Provisioned, long Granted, long FirstRead, long FirstSpend, long Exhausted,
    long Purchased);

/// <param name="Skewed">Accounts that are older than their user, because clocks differ; they count as no wait.</param>
internal sealed record LatencyCounts(string Name, long Users, long Skewed, double? P50Ms, double? P90Ms, double? P99Ms, long MaxMs);

internal sealed record ExpiryCounts(string Name, long Accounts, decimal Credits);

internal sealed record ProvisionedShare(string Realm, long InTime, long Eligible);
