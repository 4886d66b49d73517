using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Page.Overview;

/// <summary>How realms stand, and what happened in them lately.</summary>
internal sealed class OverviewStore(NpgsqlDataSource dataSource)
{
    private const string StandSql =
        """
        with known as (
            select realm, count(*) filter (where user_state <> 'deleted') as known,
                count(*) filter (where user_state = 'account') as accounts,
                count(*) filter (where user_state = 'held') as held,
                count(*) filter (where user_state in ('excluded', 'service_account')) as without
            from keycloak_users where realm = any (@Realms::text[]) group by realm),
        hints as (
            select realm, count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'dead') as dead
            from user_hints where realm = any (@Realms) group by realm),
        polled as (
            select realm, max(watermark) as last_event, max(polled_at) as polled_at
            from poll_cursors where realm = any (@Realms) group by realm)
        select r.realm, coalesce(k.known, 0) as known, coalesce(k.accounts, 0) as accounts, coalesce(k.held, 0) as held,
            coalesce(k.without, 0) as without, coalesce(h.waiting, 0) as waiting, coalesce(h.dead, 0) as dead, p.last_event, p.polled_at
        from unnest(@Realms) with ordinality as r (realm, place)
        left join known k on k.realm = r.realm
        left join hints h on h.realm = r.realm
        left join polled p on p.realm = r.realm
        order by r.place
        """;

    // Hours before the moment that is asked for; 0 is the latest one.
    private const string RegisteredSql =
        """
        select realm, floor(extract(epoch from @Now::timestamptz - created_at) / 3600)::integer as hour, count(*)::numeric as value
        from keycloak_users
        where realm = any (@Realms::text[]) and created_at > @Now - interval '24 hours' and created_at <= @Now
            and created_at >= '1970-01-01 00:00:00+00' and user_state <> 'deleted' and keycloak_id not like 'f:%'
            and user_state <> 'service_account'
        group by 1, 2
        """;

    private const string OpenedSql =
        """
        select c.realm, floor(extract(epoch from @Now::timestamptz - a.timestamp) / 3600)::integer as hour, count(*)::numeric as value
        from audit_logs a
        join user_credits c on c.user_id = a.user_id
        where a.timestamp > @Now - interval '24 hours' and a.timestamp <= @Now and a.action = 'credit.create' and a.result = 'success'
            and c.realm = any (@Realms::text[])
        group by 1, 2
        """;

    private const string SpentSql =
        """
        select c.realm, floor(extract(epoch from @Now::timestamptz - t.created_at) / 3600)::integer as hour, sum(-t.amount) as value
        from credit_transactions t
        join user_credits c on c.user_id = t.user_id
        where t.created_at > @Now - interval '24 hours' and t.created_at <= @Now and t.transaction_type = 'usage' and t.amount < 0
            and c.realm = any (@Realms::text[])
        group by 1, 2
        """;

    // A user that was found late, as in a backfill, was created long before.
    private const string DelaySql =
        """
        select k.realm, floor(extract(epoch from @Now::timestamptz - c.created_at) / 3600)::integer as hour,
            percentile_cont(0.95) within group (order by extract(epoch from c.created_at - k.created_at))::numeric as value
        from keycloak_users k
        join user_credits c on c.user_id = k.account_id and c.created_at >= k.created_at
        where k.realm = any (@Realms::text[]) and k.created_at > @Now - interval '24 hours' and k.created_at <= @Now
            and k.created_at >= '1970-01-01 00:00:00+00' and k.user_state <> 'deleted' and k.keycloak_id not like 'f:%'
        group by grouping sets ((1, 2), (1))
        """;

    /// <summary>A row for each of these realms, in their order.</summary>
    public async Task<IReadOnlyList<RealmStand>> StandAsync(string[] realms, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<RealmStand>(
            new CommandDefinition(StandSql, new { Realms = realms }, cancellationToken: cancellationToken))];
    }

    /// <summary>What happened within the last 24 hours, by realm and hour.</summary>
    public async Task<DayFigures> DayAsync(string[] realms, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return new DayFigures(
            await ReadAsync(RegisteredSql), await ReadAsync(OpenedSql), await ReadAsync(SpentSql), await ReadAsync(DelaySql), now);

        async Task<IReadOnlyList<HourFigure>> ReadAsync(string sql) => [.. await connection.QueryAsync<HourFigure>(
            new CommandDefinition(sql, new { Realms = realms, Now = now }, cancellationToken: cancellationToken))];
    }
}

/// <param name="Known">Users on record that Keycloak has.</param>
/// <param name="Accounts">Users with an active account.</param>
/// <param name="Without">Users that get no account by a rule, service accounts among them.</param>
/// <param name="LastEvent">Keycloak's time of the newest event that was polled.</param>
internal sealed record RealmStand(
    string Realm, long Known, long Accounts, long Held, long Without, long Waiting, long Dead, DateTimeOffset? LastEvent,
    DateTimeOffset? PolledAt);

/// <param name="Hour">How many hours ago; null for all of them.</param>
internal sealed record HourFigure(string Realm, int? Hour, decimal Value);

/// <param name="Delay">The 95th percentile of seconds from a user's creation to the account.</param>
internal sealed record DayFigures(
    IReadOnlyList<HourFigure> Registered, IReadOnlyList<HourFigure> Opened, IReadOnlyList<HourFigure> Spent,
    IReadOnlyList<HourFigure> Delay, DateTimeOffset At);
