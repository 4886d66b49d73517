using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>Switches accounts to the tier that Keycloak says, when it says something else than it did the last time.</summary>
internal static class TierFollowStore
{
    /// <summary>
    /// Switches each account of `target` (user_id, to_tier, credits, cap, to_unlimited, said_by, led_by, said_from), save closed ones, with
    /// ledger and audit row; `switched` has them as they are then.
    /// </summary>
    /// <remarks>
    /// `held` is the account as it is once its lock is held, so that a charge at the same moment is not lost and what is taken is still there.
    /// @Elapsing is the length of a period where the rest of it counts, and null where nothing is pro-rated.
    /// </remarks>
    internal const string SwitchAccounts =
        """
        held as (
            select t.*, c.tier as earlier, c.credits_remaining as balance, c.credits_allocated as allocated, c.unlimited as was_unlimited,
                least(greatest(extract(epoch from c.last_reset - @Now::timestamptz) / @Elapsing::double precision, 0), 1)::numeric as rest
            from target t
            join user_credits c on c.user_id = t.user_id
            where c.status <> 'closed'
            order by c.user_id collate "C"
            for no key update of c
        ),
        priced as (
            select h.*, case when h.was_unlimited or h.to_unlimited then 0 else coalesce(greatest(
                trunc((h.credits - coalesce(e.amount, h.allocated)) * h.rest, 6), -greatest(h.balance, 0)), 0) end as moved
            from held h
            left join unnest(@Tiers::text[], @Amounts::numeric[]) as e (tier, amount) on e.tier = h.earlier
        ),
        switched as (
            update user_credits c
            set tier = p.to_tier, credits_allocated = p.credits, monthly_cap = p.cap, unlimited = p.to_unlimited,
                credits_remaining = c.credits_remaining + p.moved, updated_at = @Now
            from priced p
            where c.user_id = p.user_id
            returning c.*, p.earlier, p.moved, p.said_by, p.led_by, p.said_from
        ),
        entry as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
            select user_id, moved, credits_remaining, 'adjustment',
                jsonb_build_object('reason', 'tier_switch', 'from', earlier, 'to', tier, 'by', said_by), @Now
            from switched
            where moved <> 0
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
            select @Now, user_id, 'tier.switch', 'success', 'user_credits', user_id, jsonb_strip_nulls(jsonb_build_object(
                'from', earlier, 'to', tier, 'by', said_by, 'source', led_by, 'pro_rated', nullif(moved, 0)::numeric(20, 6)::text)), said_from
            from switched
        )
        """;

    // In the transaction that converged the same users and holds what is on record of them: the newest reading is on record then, and says
    // that it is. What Keycloak says is applied when it changes, so an account that somebody else switched meanwhile stays as it is. Without an
    // account nothing is on record, and the first one gets what is said then.
    private const string FollowSql =
        $"""
        with due as (
            select j.*, k.account_id, k.user_state, c.tier, case when k.user_state in ('account', 'held') then j.tier_said end as said
            from unnest(@Realms::text[], @KeycloakIds::text[], @ReadAts::timestamptz[], @SaidTiers::text[], @ToTiers::text[], @Credits::numeric[],
                    @Caps::numeric[], @Unlimited::boolean[], @Sources::text[])
                as j (realm, keycloak_id, read_at, tier_said, to_tier, credits, cap, to_unlimited, source)
            join keycloak_users k on k.realm = j.realm and k.keycloak_id = j.keycloak_id
            left join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
            where k.checked_at <= j.read_at and (k.user_state = 'excluded' or k.user_state in ('account', 'held') and c.status <> 'closed')
                and k.tier is distinct from case when k.user_state in ('account', 'held') then j.tier_said end
            offset 0
        ),
        target as (
            select account_id as user_id, to_tier, credits, cap, to_unlimited, 'keycloak' as said_by, source as led_by, null::text as said_from
            from due
            where user_state in ('account', 'held') and tier <> to_tier
        ),
        {SwitchAccounts},
        recorded as (
            update keycloak_users k set tier = d.said from due d where k.realm = d.realm and k.keycloak_id = d.keycloak_id
        )
        select user_id as account_id, earlier, tier, credits_remaining as balance from switched order by user_id collate "C"
        """;

    /// <summary>Follows what was judged of users whom the transaction has converged, and returns whose tier that switched.</summary>
    public static async Task<IReadOnlyList<AccountChange>> FollowAsync(
        NpgsqlConnection connection, IReadOnlyList<DesiredState> batch, ProRating proRating, DateTimeOffset now, CancellationToken cancellationToken)
    {
        DesiredState[] said = [.. batch.Where(item => item.TierFromKeycloak is not null)];
        if (said.Length == 0)
            return [];
        var rows = await connection.QueryPreparedAsync<SwitchedAccount>(
            FollowSql,
            [
                said.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
                said.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
                said.Column("ReadAts", NpgsqlDbType.TimestampTz, item => item.ReadAt.UtcDateTime),
                said.Column("SaidTiers", NpgsqlDbType.Text, item => item.TierFromKeycloak?.Tier),
                said.Column("ToTiers", NpgsqlDbType.Text, item => item.TierTerms?.Tier),
                said.Column("Credits", NpgsqlDbType.Numeric, item => item.TierTerms?.Credits),
                said.Column("Caps", NpgsqlDbType.Numeric, item => item.TierTerms?.MonthlyCap),
                said.Column("Unlimited", NpgsqlDbType.Boolean, item => item.TierTerms?.Unlimited),
                said.Column("Sources", NpgsqlDbType.Text, item => item.Source),
                .. Parameters(proRating, now),
            ],
            cancellationToken);
        return [.. rows.Select(row => new AccountChange(row.AccountId, row.Tier, row.Balance, Opened: false, Status: null) { SwitchedFrom = row.Earlier })];
    }

    /// <summary>What <see cref="SwitchAccounts"/> takes.</summary>
    public static NpgsqlParameter[] Parameters(ProRating proRating, DateTimeOffset now) =>
    [
        new("Elapsing", NpgsqlDbType.Double) { Value = proRating.Period is { } period ? period.TotalSeconds : DBNull.Value },
        proRating.Tiers.Column("Tiers", NpgsqlDbType.Text, tier => tier.Tier),
        proRating.Tiers.Column("Amounts", NpgsqlDbType.Numeric, tier => tier.Credits),
        new("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
    ];

    private sealed record SwitchedAccount(string AccountId, string Earlier, string Tier, decimal Balance);
}
