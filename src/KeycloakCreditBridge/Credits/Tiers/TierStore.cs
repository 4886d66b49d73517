using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Tiers;

/// <summary>Reads and switches the tier of an account.</summary>
internal sealed class TierStore(NpgsqlDataSource dataSource, IOptions<ProvisioningOptions> provisioning, GrantEnds? ends = null)
{
    private static readonly string SwitchSql =
        $"""
        with earlier as (
            select body_hash, answer from idempotency_keys where caller = @Caller::text and key = @Key::text
        ),
        found as ({BalanceStore.SelectedAccount}),
        target as (
            select user_id, @Tier::text as to_tier, @Credits::numeric(20, 6) as credits, @Cap::numeric(20, 6) as cap,
                @Unlimited::boolean as to_unlimited,
                @By::text as switched_by, null::text as trigger_source, @Address::text as client_address
            from found
            where not exists (select from earlier)
        ),
        {TierFollowStore.SwitchAccounts},
        answered as (
            select {BalanceStore.BalanceJson} || case when @ProRatedSeconds is null then jsonb_build_object()
                else jsonb_build_object('pro_rated', c.pro_rated::numeric(20, 6)::text) end as answer
            from switched c
        ),
        kept as (
            insert into idempotency_keys (caller, key, body_hash, answer, kept_at)
            select @Caller, @Key, @Hash::bytea, answer, @Now from answered where @Key is not null
        )
        select (select body_hash from earlier) as earlier_hash,
            coalesce((select answer from earlier), (select answer from answered))::text as answer, f.status,
            f.user_id as account_id, coalesce(f.next_expiry <= coalesce(@At, now()), false) as is_due
        from (select 1) as one
        left join found f on true
        """;

    private const string TierSql = $"select c.tier as answer from ({BalanceStore.SelectedAccount}) c";

    /// <summary>The tier's name; null when there is no such account.</summary>
    public async Task<string?> TierAsync(AccountSelector selector, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<Row>(TierSql, selector.Parameters(), cancellationToken)) is [var row] ? row.Answer : null;

    /// <summary>Tries once.</summary>
    /// <exception cref="PostgresException">Among others a unique violation: the key was just used by another request.</exception>
    public async Task<TierSwitchResult> SwitchAsync(TierSwitchRequest order, ProRating proRating, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<TierSwitchResult>(
            SwitchSql,
            [
                .. order.Selector.Parameters(),
                new("Tier", NpgsqlDbType.Text) { Value = order.Terms.Tier },
                new("Credits", NpgsqlDbType.Numeric) { Value = order.Terms.Credits },
                new("Cap", NpgsqlDbType.Numeric) { Value = order.Terms.MonthlyCap is { } cap ? cap : DBNull.Value },
                new("Unlimited", NpgsqlDbType.Boolean) { Value = order.Terms.Unlimited },
                new("By", NpgsqlDbType.Text) { Value = order.By },
                new("Address", NpgsqlDbType.Text) { Value = (object?)order.Address ?? DBNull.Value },
                new("Caller", NpgsqlDbType.Text) { Value = order.CallerKey },
                new("Key", NpgsqlDbType.Text) { Value = (object?)order.Key ?? DBNull.Value },
                new("Hash", NpgsqlDbType.Bytea) { Value = order.Hash },
                BalanceStore.PeriodLength(provisioning.Value),
                .. TierFollowStore.Parameters(proRating, ends, now),
            ],
            cancellationToken);
        if (rows[0] is { Answer: null, IsDue: true, AccountId: { } due } && ends is not null)
            await ends.SettleAsync([due], cancellationToken);
        return rows[0];
    }

    private sealed record Row(string? Answer);
}

/// <summary>A requested switch.</summary>
/// <param name="By">The caller.</param>
/// <param name="Address">The caller's address.</param>
/// <param name="CallerKey">The caller that <paramref name="Key"/> belongs to.</param>
/// <param name="Key">The Idempotency-Key; null without one.</param>
/// <param name="Hash">Hash of the request.</param>
internal sealed record TierSwitchRequest(AccountSelector Selector, TierTerms Terms, string By, string? Address, string CallerKey,
    string? Key, byte[] Hash);

/// <summary>The result of one try.</summary>
/// <param name="EarlierHash">Hash of the request that used the key before, or null.</param>
/// <param name="Answer">The balance as JSON, also that of the earlier request; null when nothing was switched.</param>
/// <param name="Status">The account's, as it was when the statement began; null when there is none.</param>
/// <param name="IsDue">Something in it had ended, so that nothing was switched: it is booked out for the next try.</param>
internal sealed record TierSwitchResult(byte[]? EarlierHash, string? Answer, string? Status, string? AccountId, bool IsDue);
