using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Usage;

/// <summary>Sums of an account's usage in credits. A row without a cost counts what it charged.</summary>
internal sealed class UsageSummaryStore(NpgsqlDataSource dataSource)
{
    private const string SummarySql =
        $"""
        with account as ({BalanceStore.SelectedAccount}),
        used as (
            select coalesce(t.provider, 'unknown') as service, coalesce(t.tokens_used, 0) as tokens, coalesce(t.cost, -t.amount) as cost,
                coalesce(t.metadata ->> 'is_free', 'false') = 'true' as is_free
            from credit_transactions t
            where t.user_id = (select a.user_id from account a) and t.grant_key is null and t.transaction_type = 'usage'
                and coalesce(t.created_at, timestamptz '-infinity') >= @From::timestamptz
                and coalesce(t.created_at, timestamptz '-infinity') < @Until::timestamptz
        ),
        services as (
            select service, jsonb_build_object('events', count(*), 'tokens', sum(tokens), 'cost', sum(cost)::numeric(20, 6)::text) as used
            from used group by service
        )
        select jsonb_build_object(
            'user_id', a.user_id, 'total_events', u.events, 'total_tokens', u.tokens, 'total_cost', u.cost::numeric(20, 6)::text,
            'free_tier_events', u.free, 'paid_tier_events', u.events - u.free,
            'services', (select coalesce(jsonb_object_agg(s.service, s.used), jsonb_build_object()) from services s),
            'period', jsonb_build_object(
                'start', to_char(@From at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
                'end', to_char(@Until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')))::text as answer
        from account a
        cross join (
            select count(*) as events, coalesce(sum(tokens), 0) as tokens, coalesce(sum(cost), 0) as cost,
                count(*) filter (where is_free) as free
            from used) u
        """;

    private const string GroupsSql =
        $"""
        with account as ({BalanceStore.SelectedAccount}),
        groups as (
            select case when @ByModel::boolean then coalesce(t.model, 'unknown') else coalesce(t.provider, 'unknown') end as name,
                count(*) as events, coalesce(sum(t.tokens_used), 0) as tokens, sum(coalesce(t.cost, -t.amount))::numeric(20, 6) as cost
            from credit_transactions t
            where t.user_id = (select a.user_id from account a) and t.grant_key is null and t.transaction_type = 'usage'
                and coalesce(t.created_at, timestamptz '-infinity') >= @From::timestamptz
                and coalesce(t.created_at, timestamptz '-infinity') < @Until::timestamptz
            group by 1
        )
        select (
                select coalesce(jsonb_agg(jsonb_build_object(
                    case when @ByModel then 'model' else 'service' end, g.name, 'events', g.events, 'tokens', g.tokens,
                        'cost', g.cost::text)
                    order by g.cost desc, g.name), jsonb_build_array())::text
                from groups g) as answer
        from account a
        """;

    /// <summary>All usage of the time, with a sum for each service; null when there is no such account.</summary>
    public Task<string?> SummaryAsync(AccountSelector selector, UsagePeriod period, CancellationToken cancellationToken) =>
        FindAsync(SummarySql, [.. Parameters(selector, period)], cancellationToken);

    /// <summary>Sums by model or by service, the most costly first; null when there is no such account.</summary>
    public Task<string?> GroupsAsync(AccountSelector selector, UsagePeriod period, bool byModel, CancellationToken cancellationToken) =>
        FindAsync(GroupsSql, [.. Parameters(selector, period), new("ByModel", NpgsqlDbType.Boolean) { Value = byModel }],
            cancellationToken);

    private static NpgsqlParameter[] Parameters(AccountSelector selector, UsagePeriod period) =>
    [
        .. selector.Parameters(),
        new("From", NpgsqlDbType.TimestampTz) { Value = period.From.UtcDateTime },
        new("Until", NpgsqlDbType.TimestampTz) { Value = period.Until.UtcDateTime },
    ];

    private async Task<string?> FindAsync(string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<Row>(sql, parameters, cancellationToken);
        return rows.Count == 0 ? null : rows[0].Answer;
    }

    private sealed record Row(string Answer);
}

/// <param name="Until">Not part of it.</param>
internal sealed record UsagePeriod(DateTimeOffset From, DateTimeOffset Until);
