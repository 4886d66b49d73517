using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Tiers;

/// <summary>Which tier an account has.</summary>
internal sealed class TierStore(NpgsqlDataSource dataSource)
{
    private static readonly string SwitchSql =
        $"""
        with earlier as (
            select body_hash, answer from idempotency_keys where caller = @Caller::text and key = @Key::text
        ),
        found as ({BalanceStore.SelectedAccount}),
        target as (
            select user_id, @Tier::text as to_tier, @Credits::numeric(20, 6) as credits, @Cap::numeric(20, 6) as cap, @Unlimited::boolean as to_unlimited,
                @By::text as switched_by, null::text as trigger_source, @Address::text as client_address
            from found
            where not exists (select from earlier)
        ),
        {TierFollowStore.SwitchAccounts},
        said as (
            select {BalanceStore.BalanceJson} || case when @Elapsing is null then jsonb_build_object()
                else jsonb_build_object('pro_rated', c.pro_rated::numeric(20, 6)::text) end as answer
            from switched c
        ),
        kept as (
            insert into idempotency_keys (caller, key, body_hash, answer, kept_at)
            select @Caller, @Key, @Hash::bytea, answer, @Now from said where @Key is not null
        )
        select (select body_hash from earlier) as earlier_hash,
            coalesce((select answer from earlier), (select answer from said))::text as answer, f.status
        from (select 1) as one
        left join found f on true
        """;

    private const string TierSql = $"select c.tier as answer from ({BalanceStore.SelectedAccount}) c";

    /// <summary>The tier's name; null when there is no such account.</summary>
    public async Task<string?> TierAsync(AccountSelector reach, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<Row>(TierSql, reach.Parameters(), cancellationToken)) is [var row] ? row.Answer : null;

    /// <summary>Tries once.</summary>
    /// <exception cref="PostgresException">Among others a unique violation: the key was just used by another request.</exception>
    public async Task<TierSwitchResult> SwitchAsync(TierSwitchRequest order, ProRating proRating, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<TierSwitchResult>(
            SwitchSql,
            [
                .. order.Reach.Parameters(),
                new("Tier", NpgsqlDbType.Text) { Value = order.Terms.Tier },
                new("Credits", NpgsqlDbType.Numeric) { Value = order.Terms.Credits },
                new("Cap", NpgsqlDbType.Numeric) { Value = order.Terms.MonthlyCap is { } cap ? cap : DBNull.Value },
                new("Unlimited", NpgsqlDbType.Boolean) { Value = order.Terms.Unlimited },
                new("By", NpgsqlDbType.Text) { Value = order.By },
                new("Address", NpgsqlDbType.Text) { Value = (object?)order.Address ?? DBNull.Value },
                new("Caller", NpgsqlDbType.Text) { Value = order.CallerKey },
                new("Key", NpgsqlDbType.Text) { Value = (object?)order.Key ?? DBNull.Value },
                new("Hash", NpgsqlDbType.Bytea) { Value = order.Hash },
                .. TierFollowStore.Parameters(proRating, now),
            ],
            cancellationToken);
        return rows[0];
    }

    private sealed record Row(string? Answer);
}

/// <summary>A switch that was asked for.</summary>
/// <param name="By">Who asked.</param>
/// <param name="Address">From where.</param>
/// <param name="CallerKey">Whose <paramref name="Key"/> it is.</param>
/// <param name="Key">The Idempotency-Key; null without one.</param>
/// <param name="Hash">Of the request.</param>
internal sealed record TierSwitchRequest(AccountSelector Reach, TierTerms Terms, string By, string? Address, string CallerKey, string? Key, byte[] Hash);

/// <summary>What one try came to.</summary>
/// <param name="EarlierHash">Hash of the request that used the key before; null when none did.</param>
/// <param name="Answer">The balance as JSON, also that of the earlier request; null when nothing was switched.</param>
/// <param name="Status">The account's, as it was when the statement began; null when there is none.</param>
internal sealed record TierSwitchResult(byte[]? EarlierHash, string? Answer, string? Status);
