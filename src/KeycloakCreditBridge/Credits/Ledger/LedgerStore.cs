using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Rows of one account's ledger, newest first.</summary>
internal sealed class LedgerStore(NpgsqlDataSource dataSource)
{
    // Two parts, as rows of grants stand in the index of their keys and all others in the one by time. The arrays of `page` are built
    // from rows in order, and `last` is where the next page goes on.
    private const string PageSql =
        $"""
        with account as ({BalanceStore.SelectedAccount}),
        page as (
            select p.* from (
                (select t.*, coalesce(t.created_at, timestamptz '-infinity') as at
                from credit_transactions t
                where t.user_id = (select a.user_id from account a) and t.grant_key is null
                    and (@Type::text is null or t.transaction_type = @Type)
                    and (coalesce(t.created_at, timestamptz '-infinity'), t.id) < (@BeforeAt::timestamptz, @BeforeId::uuid)
                order by coalesce(t.created_at, timestamptz '-infinity') desc, t.id desc
                limit @Limit::integer + @Offset::integer)
                union all
                (select t.*, coalesce(t.created_at, timestamptz '-infinity')
                from credit_transactions t
                where t.user_id = (select a.user_id from account a) and t.grant_key is not null
                    and (@Type is null or t.transaction_type = @Type)
                    and (coalesce(t.created_at, timestamptz '-infinity'), t.id) < (@BeforeAt, @BeforeId))) p
            order by p.at desc, p.id desc
            limit @Limit offset @Offset)
        select a.user_id, (
                select coalesce(jsonb_agg(jsonb_build_object(
                    'id', p.id, 'user_id', p.user_id, 'amount', p.amount::text, 'balance_after', p.balance_after::text,
                    'transaction_type', p.transaction_type, 'service', p.provider, 'model', p.model, 'tokens', p.tokens_used,
                    'cost', p.cost::text,
                    'cost_breakdown', p.metadata -> 'cost_breakdown', 'metadata', p.metadata - 'cost_breakdown',
                    'created_at', to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'))
                    order by p.at desc, p.id desc), jsonb_build_array())::text
                from page p) as rows,
            (select count(*)::integer from page) as count,
            last.id as last_id, nullif(last.at, timestamptz '-infinity') as last_at
        from account a
        left join lateral (select p.id, p.at from page p order by p.at, p.id limit 1) last on true
        """;

    private const string TotalSql =
        $"""
        with account as ({BalanceStore.SelectedAccount})
        select count(*)::bigint as total from account a
        join credit_transactions t on t.user_id = a.user_id and (@Type::text is null or t.transaction_type = @Type)
        """;

    /// <summary>A page; null when there is no such account for callers of this realm.</summary>
    public async Task<LedgerPage?> PageAsync(AccountSelector selector, PageRequest page, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<LedgerPage>(
            PageSql,
            [
                .. selector.Parameters(),
                TypeOf(page.Type),
                // The least instant is -infinity to PostgreSQL, and the greatest infinity.
                new("BeforeAt", NpgsqlDbType.TimestampTz) { Value = page.Before.At?.UtcDateTime ?? DateTimeOffset.MinValue.UtcDateTime },
                new("BeforeId", NpgsqlDbType.Uuid) { Value = page.Before.Id },
                new("Limit", NpgsqlDbType.Integer) { Value = page.Limit },
                new("Offset", NpgsqlDbType.Integer) { Value = page.Offset },
            ],
            cancellationToken);
        return rows.Count == 0 ? null : rows[0];
    }

    /// <summary>How many rows the whole ledger of the account has, or how many of a type.</summary>
    public async Task<long> TotalAsync(AccountSelector selector, string? type, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<TotalRow>(TotalSql, [.. selector.Parameters(), TypeOf(type)], cancellationToken))[0].Total;

    private static NpgsqlParameter TypeOf(string? type) => new("Type", NpgsqlDbType.Text) { Value = (object?)type ?? DBNull.Value };

    private sealed record TotalRow(long Total);
}

/// <param name="Rows">A JSON array.</param>
/// <param name="LastId">The oldest row of the page; null for an empty page.</param>
/// <param name="LastAt">Its time; null where an existing installation left none.</param>
internal sealed record LedgerPage(string UserId, string Rows, int Count, Guid? LastId, DateTimeOffset? LastAt)
{
    /// <summary>Where the next page goes on; null when this one was not full.</summary>
    public LedgerPosition? NextOf(int limit) => Count < limit || LastId is not { } id ? null : new LedgerPosition(LastAt, id);
}

/// <param name="Type">Only rows of this transaction type.</param>
/// <param name="Before">Only rows older than this one.</param>
internal sealed record PageRequest(int Limit, int Offset, string? Type, LedgerPosition Before);
