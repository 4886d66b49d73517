using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Tiers;

/// <summary>Which tier an account has.</summary>
internal sealed class TierStore(NpgsqlDataSource dataSource)
{
    private const string SwitchSql =
        $"""
        with target as ({BalanceStore.Target}),
        switched as (
            update user_credits c
            set tier = @Tier::text, credits_allocated = @Credits::numeric(20, 6), monthly_cap = @Cap::numeric(20, 6), unlimited = @Unlimited::boolean,
                updated_at = @Now::timestamptz
            from target t
            where c.user_id = t.user_id and c.status <> 'closed'
            returning c.*, t.tier as earlier
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
            select @Now, user_id, 'tier.switch', 'success', 'user_credits', user_id,
                jsonb_build_object('from', earlier, 'to', tier, 'by', @By::text), @Address::text
            from switched
        )
        select (select ({BalanceStore.Balance})::text from switched c) as answer, t.status from target t
        """;

    private const string TierSql = $"select c.tier as answer from ({BalanceStore.Target}) c";

    /// <summary>The tier's name; null when there is no such account.</summary>
    public async Task<string?> TierAsync(AccountReach reach, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<Row>(TierSql, reach.Parameters(), cancellationToken)) is [var row] ? row.Answer : null;

    /// <summary>Tries once; no account gives null.</summary>
    public async Task<TierSwitch?> SwitchAsync(
        AccountReach reach, TierTerms terms, string by, string? address, DateTimeOffset now, CancellationToken cancellationToken)
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
