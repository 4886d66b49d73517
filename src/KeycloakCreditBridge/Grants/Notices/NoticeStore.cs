using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Notices;

/// <summary>Finds grants that end soon, and keeps which of their notices are written.</summary>
internal static class NoticeStore
{
    /// <summary>Stands for a grant without a notice.</summary>
    public const short None = short.MaxValue;

    // A grant that was told of at @Noticed is due again at the @Days beside it. The smallest step that it has reached is the one written.
    private const string ClaimSql =
        """
        select g.user_id as account_id, c.credits_remaining as balance, g.grant_key, g.expires_at,
            coalesce(@At::timestamptz, now()) as at, (
                select min(d.days) from unnest(@Days::smallint[]) as d (days)
                where g.expires_at <= coalesce(@At, now()) + make_interval(days => d.days)) as days
        from unnest(@Noticed::smallint[], @Days::smallint[]) as w (noticed, days)
        join credit_grants g on coalesce(g.noticed_days, 32767) = w.noticed and g.closed_at is null
            and g.expires_at > coalesce(@At, now()) and g.expires_at <= coalesce(@At, now()) + make_interval(days => w.days)
        join user_credits c on c.user_id = g.user_id and c.status <> 'closed'
        order by g.expires_at
        limit @Limit::integer
        for update of g skip locked
        """;

    private const string WriteSql =
        """
        with notice as (
            select * from unnest(@Accounts::text[], @Grants::text[], @Amounts::numeric[], @Ends::timestamptz[], @Days::smallint[])
                as n (user_id, grant_key, amount, ends, days)),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
            select @Now::timestamptz, n.user_id, 'credit.expiring', 'success', 'user_credits', n.user_id, jsonb_build_object(
                'grant', n.grant_key, 'amount', n.amount::numeric(20, 6)::text, 'ends_at', n.ends, 'days', n.days)
            from notice n
            where n.amount >= @Least::numeric
            order by n.user_id, n.grant_key)
        update credit_grants g set noticed_days = n.days
        from notice n
        where g.user_id = n.user_id and g.grant_key = n.grant_key
        """;

    /// <summary>Locks grants that have a notice due; those that another replica holds are left out.</summary>
    /// <param name="connection">In a transaction.</param>
    /// <param name="steps">Days before the end, each once.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="at">The time that decides; null for the database's.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    public static Task<IReadOnlyList<DueNotice>> ClaimAsync(
        NpgsqlConnection connection, IReadOnlyCollection<short> steps, int limit, DateTimeOffset? at, CancellationToken cancellationToken)
    {
        // Steps may have been others before: a grant that was told of at any day has the next smaller one before it.
        (short Noticed, short Days)[] waits =
        [
            .. Enumerable.Range(1, steps.Max()).Select(day => (short)day).Append(None)
                .Where(noticed => steps.Any(step => step < noticed))
                .Select(noticed => (noticed, steps.Where(step => step < noticed).Max())),
        ];
        return connection.QueryPreparedAsync<DueNotice>(
            ClaimSql,
            [
                waits.Column("Noticed", NpgsqlDbType.Smallint, wait => wait.Noticed),
                waits.Column("Days", NpgsqlDbType.Smallint, wait => wait.Days),
                new("Limit", NpgsqlDbType.Integer) { Value = limit },
                BookingStore.Time("At", at),
            ],
            cancellationToken);
    }

    /// <summary>Writes an audit row for each amount that is worth one, and keeps that these steps are done.</summary>
    public static Task WriteAsync(
        NpgsqlConnection connection, IReadOnlyList<(DueNotice Due, decimal Amount)> notices, decimal least, DateTimeOffset now,
        CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            WriteSql,
            [
                notices.Column("Accounts", NpgsqlDbType.Text, notice => notice.Due.AccountId),
                notices.Column("Grants", NpgsqlDbType.Text, notice => notice.Due.GrantKey),
                notices.Column("Amounts", NpgsqlDbType.Numeric, notice => notice.Amount),
                notices.Column("Ends", NpgsqlDbType.TimestampTz, notice => notice.Due.ExpiresAt.UtcDateTime),
                notices.Column("Days", NpgsqlDbType.Smallint, notice => notice.Due.Days),
                new("Least", NpgsqlDbType.Numeric) { Value = least },
                BookingStore.Time("Now", now),
            ],
            cancellationToken);
}

/// <param name="At">The time by which ends are compared.</param>
/// <param name="Days">The step that is due.</param>
internal sealed record DueNotice(
    string AccountId, decimal Balance, string GrantKey, DateTimeOffset ExpiresAt, DateTimeOffset At, short Days);
