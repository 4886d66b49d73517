using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Provisioning.Tiers;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Tiers;

/// <summary>Which tier an account has.</summary>
internal sealed class TierStore(NpgsqlDataSource dataSource)
{
    private const string SwitchSql =
        $"""
        with found as ({BalanceStore.Target}),
        target as (
            select user_id, @Tier::text as to_tier, @Credits::numeric(20, 6) as credits, @Cap::numeric(20, 6) as cap, @Unlimited::boolean as to_unlimited,
                @By::text as said_by, null::text as led_by, @Address::text as said_from
            from found
        ),
        {TierFollowStore.Switching}
        select (
                select ({BalanceStore.Balance} || case when @Elapsing is null then jsonb_build_object()
                    else jsonb_build_object('pro_rated', c.moved::numeric(20, 6)::text) end)::text
                from switched c) as answer,
            f.status
        from found f
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
                new("By", NpgsqlDbType.Text) { Value = by },
                new("Address", NpgsqlDbType.Text) { Value = (object?)address ?? DBNull.Value },
                .. TierFollowStore.Parameters(proRating, now),
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
