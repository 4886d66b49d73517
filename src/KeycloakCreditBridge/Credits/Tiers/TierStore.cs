using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Tiers;

/// <summary>Which tier an account has.</summary>
internal sealed class TierStore(NpgsqlDataSource dataSource)
{
    // `held` is the account as it is once its lock is held, so that a charge at the same moment is not lost and what is taken is still there.
    // @Elapsing is the length of a period where the rest of it counts, and null where nothing is pro-rated.
    private const string SwitchSql =
        $"""
        with target as ({BalanceStore.Target}),
        held as (
            select c.user_id, c.tier, c.credits_remaining as balance, c.credits_allocated as allocated, c.unlimited,
                least(greatest(extract(epoch from c.last_reset - @Now::timestamptz) / @Elapsing::double precision, 0), 1)::numeric as rest
            from target t
            join user_credits c on c.user_id = t.user_id
            where c.status <> 'closed'
            for no key update of c
        ),
        priced as (
            select h.*, case when h.unlimited or @Unlimited::boolean then 0 else coalesce(greatest(
                trunc((@Credits::numeric(20, 6) - coalesce(e.amount, h.allocated)) * h.rest, 6), -greatest(h.balance, 0)), 0) end as moved
            from held h
            left join unnest(@Tiers::text[], @Amounts::numeric[]) as e (tier, amount) on e.tier = h.tier
        ),
        switched as (
            update user_credits c
            set tier = @Tier::text, credits_allocated = @Credits, monthly_cap = @Cap::numeric(20, 6), unlimited = @Unlimited,
                credits_remaining = c.credits_remaining + p.moved, updated_at = @Now
            from priced p
            where c.user_id = p.user_id
            returning c.*, p.tier as earlier, p.moved
        ),
        entry as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
            select user_id, moved, credits_remaining, 'adjustment',
                jsonb_build_object('reason', 'tier_switch', 'from', earlier, 'to', tier, 'by', @By::text), @Now
            from switched
            where moved <> 0
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
            select @Now, user_id, 'tier.switch', 'success', 'user_credits', user_id, jsonb_strip_nulls(jsonb_build_object(
                'from', earlier, 'to', tier, 'by', @By, 'pro_rated', nullif(moved, 0)::numeric(20, 6)::text)), @Address::text
            from switched
        )
        select (
                select ({BalanceStore.Balance} || case when @Elapsing is null then jsonb_build_object()
                    else jsonb_build_object('pro_rated', c.moved::numeric(20, 6)::text) end)::text
                from switched c) as answer,
            t.status
        from target t
        """;

    private const string TierSql = $"select c.tier as answer from ({BalanceStore.Target}) c";

    /// <summary>The tier's name; null when there is no such account.</summary>
    public async Task<string?> TierAsync(AccountReach reach, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<Row>(TierSql, reach.Parameters(), cancellationToken)) is [var row] ? row.Answer : null;

    /// <summary>Tries once; no account gives null.</summary>
    public async Task<TierSwitch?> SwitchAsync(
        AccountReach reach, TierTerms terms, ProRating proRating, string by, string? address, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<TierSwitch>(
            SwitchSql,
            [
                .. reach.Parameters(),
                new("Tier", NpgsqlDbType.Text) { Value = terms.Tier },
                new("Credits", NpgsqlDbType.Numeric) { Value = terms.Credits },
                new("Cap", NpgsqlDbType.Numeric) { Value = terms.MonthlyCap is { } cap ? cap : DBNull.Value },
                new("Unlimited", NpgsqlDbType.Boolean) { Value = terms.Unlimited },
                new("Elapsing", NpgsqlDbType.Double) { Value = proRating.Period is { } period ? period.TotalSeconds : DBNull.Value },
                proRating.Tiers.Column("Tiers", NpgsqlDbType.Text, tier => tier.Tier),
                proRating.Tiers.Column("Amounts", NpgsqlDbType.Numeric, tier => tier.Credits),
                new("By", NpgsqlDbType.Text) { Value = by },
                new("Address", NpgsqlDbType.Text) { Value = (object?)address ?? DBNull.Value },
                new("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
            ],
            cancellationToken);
        return rows is [var row] ? row : null;
    }

    private sealed record Row(string? Answer);
}

/// <summary>What one try came to.</summary>
/// <param name="Answer">The balance as JSON; null when nothing was switched.</param>
/// <param name="Status">The account's, as it was when the statement began.</param>
internal sealed record TierSwitch(string? Answer, string Status);

/// <summary>What a tier gives.</summary>
/// <param name="Credits">For each period.</param>
/// <param name="MonthlyCap">Null without a bound.</param>
internal sealed record TierTerms(string Tier, decimal Credits, decimal? MonthlyCap, bool Unlimited);

/// <summary>What a switch in the middle of a period is worth.</summary>
/// <param name="Period">How long a period lasts; null where nothing is pro-rated.</param>
/// <param name="Tiers">What tiers give for a whole period.</param>
internal sealed record ProRating(TimeSpan? Period, IReadOnlyCollection<TierTerms> Tiers);
