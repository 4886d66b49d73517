using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Periods;

/// <summary>Brings accounts whose period ended into the current period, a range of accounts in one statement.</summary>
internal sealed class PeriodStore(NpgsqlDataSource dataSource, GrantEnds? ends = null)
{
    // When the period of account c ends; one without dates begins its first period now.
    internal const string PeriodEnd =
        "coalesce(credit_period_end(c.last_reset, c.created_at, @Seconds::double precision), @Now::timestamptz)";

    // The next accounts in the order of the index, due or not: however few are due, a statement reads no more than its limit.
    internal const string AccountRange =
        """
        walked as (select w.user_id from user_credits w where w.user_id > @After::text and w.user_id <= @Until::text
            order by w.user_id limit @Limit::integer),
        bounds as (select max(user_id) as last, count(*) as walked from walked)
        """;

    // What renewing account d yields; what is the same for a tier is computed once. A removed tier gives what it gave last.
    private const string TierTerms =
        """
        select d.user_id, d.tier, d.balance, d.booked_at, d.begins, d.begins + make_interval(secs => @Seconds) as ends,
            to_char(d.begins at time zone 'UTC', 'YYYY-MM-DD') as period, d.unlimited or coalesce(t.unlimited, false) as unlimited,
            case when d.withheld_tier = d.tier then least(coalesce(t.amount, d.allocated), d.withheld_before)
                else coalesce(t.amount, d.allocated) end::numeric(20, 6) as amount,
            t.grant_metadata, t.forfeit_metadata,
            case when @Rollover::boolean
                then least(
                    greatest(d.balance - coalesce(t.max_rollover, @MaxRollover::numeric), 0), coalesce(l.most, greatest(d.balance, 0)))
                else coalesce(l.most, greatest(d.balance, 0)) end as excess
        from (
            select e.*,
                e.ended + make_interval(secs => @Seconds * floor(extract(epoch from @Now - e.ended) / @Seconds)::double precision) as begins
            from due e
            offset 0) d
        left join (
            select k.tier, u.amount, u.unlimited, u.max_rollover,
                jsonb_strip_nulls(jsonb_build_object('tier', k.tier, 'reason', 'period_reset',
                    'closes', case when not @Rollover then @Lost::text end)) as grant_metadata,
                jsonb_build_object('tier', k.tier, 'reason', 'period_ended', 'takes', @Lost) as forfeit_metadata
            from (select distinct e.tier from due e) k
            left join unnest(@Tiers::text[], @Amounts::numeric[], @Unlimited::boolean[], @MaxRolloverByTier::numeric[])
                as u (tier, amount, unlimited, max_rollover)
                on u.tier = k.tier) t
            on t.tier = d.tier
        left join unnest(@LotAccounts::text[], @Most::numeric[]) as l (user_id, most) on l.user_id = d.user_id
        """;

    private static readonly string RenewLotsSql = SqlText.Of(
        typeof(PeriodStore), "PeriodStore.Renew.sql", ("account_range", AccountRange), ("period_end", PeriodEnd),
        ("tier_terms", TierTerms));

    private static readonly string RenewSql = SqlText.Without("lots", RenewLotsSql);

    private const string MiddleSql =
        """
        select w.user_id, null::text as realm, null::text as keycloak_id from user_credits w
        where (select c.reltuples from pg_class c where c.oid = to_regclass('user_credits')) >= @Many::bigint
        order by w.user_id
        offset (select greatest(c.reltuples, 0)::bigint / 2 from pg_class c where c.oid = to_regclass('user_credits'))
        limit 1
        """;

    private const string NextSql =
        "select w.user_id, w.realm, w.keycloak_id from user_credits w where w.user_id > @After::text order by w.user_id limit 1";

    /// <summary>Renews those of the next accounts whose period ended.</summary>
    /// <param name="range">Which accounts.</param>
    /// <param name="terms">What they are granted.</param>
    /// <param name="now">The time that decides whether a period has ended.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    /// <exception cref="PostgresException">Among others an account cannot hold its grant: nothing was done.</exception>
    public async Task<RenewedRange> RenewAsync(AccountRange range, PeriodTerms terms, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        if (ends is not null)
            await ends.EnsureAsync(ends.Period.ExpiresAfter is not null, cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var (locked, lots) = await PeriodLotStore.LockAsync(connection, Parameters(range, terms, now), terms, ends, cancellationToken);
        var rows = await connection.QueryPreparedAsync<RenewedRange>(
            lots.Count > 0 || ends?.Period.IsStamped == true ? RenewLotsSql : RenewSql,
            [
                .. Parameters(range, terms, now),
                PeriodLotStore.LockedOf(locked),
                lots.Column("LotAccounts", NpgsqlDbType.Text, lot => lot.AccountId),
                lots.Column("Most", NpgsqlDbType.Numeric, lot => lot.Most),
                new("Lost", NpgsqlDbType.Text) { Value = terms.Lost.ToString() },
                GrantEnds.AtOf(ends), .. GrantEnds.Parameters(ends?.Period),
            ],
            cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return rows[0];
    }

    /// <summary>About the middle one of all accounts; null where there are fewer than <paramref name="many"/>.</summary>
    public async Task<string?> MiddleAsync(long many, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<PeriodAccount>(MiddleSql, [new("Many", NpgsqlDbType.Bigint) { Value = many }],
            cancellationToken)) is [var next] ? next.UserId : null;

    /// <summary>The account that follows an id; null when none does.</summary>
    public async Task<PeriodAccount?> NextAsync(string after, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<PeriodAccount>(NextSql, [new("After", NpgsqlDbType.Text) { Value = after }],
            cancellationToken)) is [var next] ? next : null;

    private static NpgsqlParameter[] Parameters(AccountRange range, PeriodTerms terms, DateTimeOffset now) =>
    [
        new("After", NpgsqlDbType.Text) { Value = range.After },
        new("Until", NpgsqlDbType.Text) { Value = range.Until },
        new("Limit", NpgsqlDbType.Integer) { Value = range.Limit },
        new("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
        new("Seconds", NpgsqlDbType.Double) { Value = terms.Period.TotalSeconds },
        new("Rollover", NpgsqlDbType.Boolean) { Value = terms.Rollover },
        new("MaxRollover", NpgsqlDbType.Numeric) { Value = terms.MaxRollover is { } cap ? cap : DBNull.Value },
        terms.Tiers.Column("Tiers", NpgsqlDbType.Text, tier => tier.Name),
        terms.Tiers.Column("Amounts", NpgsqlDbType.Numeric, tier => tier.Credits),
        terms.Tiers.Column("Unlimited", NpgsqlDbType.Boolean, tier => tier.Unlimited),
        terms.Tiers.Column("MaxRolloverByTier", NpgsqlDbType.Numeric, tier => tier.MaxRollover),
    ];
}

/// <summary>An account and its user.</summary>
/// <param name="Realm">Null where no user of it is known.</param>
/// <param name="KeycloakId">Null where no user of it is known.</param>
internal sealed record PeriodAccount(string UserId, string? Realm, string? KeycloakId);

/// <summary>The next accounts behind an id, in the order of the index.</summary>
/// <param name="After">The id; empty at the beginning.</param>
/// <param name="Until">The last id that belongs to the walk.</param>
/// <param name="Limit">How many accounts are read.</param>
internal sealed record AccountRange(string After, string Until, int Limit);

/// <summary>What a new period grants and forfeits.</summary>
/// <param name="Rollover">Whether remaining credits roll over, up to the maximum; otherwise they are forfeited.</param>
/// <param name="MaxRollover">For tiers without a maximum of their own; null rolls over all credits.</param>
internal sealed record PeriodTerms(TimeSpan Period, bool Rollover, decimal? MaxRollover, IReadOnlyList<TierPeriod> Tiers)
{
    /// <summary>Which credits may be forfeited.</summary>
    public LotGroup Lost { get; init; } = LotGroup.Promotional;
}

/// <param name="Credits">For each period.</param>
internal sealed record TierPeriod(string Name, decimal Credits, bool Unlimited, decimal? MaxRollover);

/// <summary>The result for a range of accounts.</summary>
/// <param name="Last">The last one that was read; null when there was none.</param>
/// <param name="Walked">How many were read.</param>
/// <param name="Renewed">Accounts in a new period, those of unlimited tiers included.</param>
/// <param name="Granted">Accounts that were granted their tier's credits.</param>
/// <param name="Credits">Credits granted.</param>
/// <param name="Forfeited">Credits forfeited.</param>
internal sealed record RenewedRange(string? Last, long Walked, long Renewed, long Granted, decimal Credits, decimal Forfeited);
