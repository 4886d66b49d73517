using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Provisioning.Accounts.Batches;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>Switches accounts when the tier of their user in Keycloak has changed.</summary>
internal static class TierFollowStore
{
    /// <summary>Common table expressions that switch each account of `target` and end with `switched`.</summary>
    internal static readonly string SwitchAccounts = SqlText.Of(
        typeof(TierFollowStore), "TierFollowStore.SwitchAccounts.sql", ("is_free", GrantEnds.IsFree));

    private static readonly string FollowSql = SqlText.Of(
        typeof(TierFollowStore), "TierFollowStore.Follow.sql", ("switch_accounts", SwitchAccounts));

    /// <summary>Switches the accounts of users that the transaction has converged, and returns the switched ones.</summary>
    public static async Task<IReadOnlyList<AccountChange>> FollowAsync(
        NpgsqlConnection connection, IReadOnlyList<DesiredState> batch, ProRating proRating, GrantEnds? ends, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        DesiredState[] mapped = [.. batch.Where(item => item.TierFromKeycloak is not null)];
        if (mapped.Length == 0)
            return [];
        var rows = await connection.QueryPreparedAsync<SwitchedAccount>(
            FollowSql,
            [
                mapped.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
                mapped.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
                mapped.Column("ReadAts", NpgsqlDbType.TimestampTz, item => item.ReadAt.UtcDateTime),
                mapped.Column("MappedTiers", NpgsqlDbType.Text, item => item.TierFromKeycloak?.Tier),
                mapped.Column("ToTiers", NpgsqlDbType.Text, item => item.TierTerms?.Tier),
                mapped.Column("Credits", NpgsqlDbType.Numeric, item => item.TierTerms?.Credits),
                mapped.Column("Caps", NpgsqlDbType.Numeric, item => item.TierTerms?.MonthlyCap),
                mapped.Column("Unlimited", NpgsqlDbType.Boolean, item => item.TierTerms?.Unlimited),
                mapped.Column("Sources", NpgsqlDbType.Text, item => item.Source),
                .. Parameters(proRating, ends, now),
            ],
            cancellationToken);
        return [.. rows.Select(
            row => new AccountChange(
                row.AccountId, row.Tier, row.Balance, Opened: false, Status: null, Welcomed: false, row.Realm, row.KeycloakId)
            {
                SwitchedFrom = row.Earlier,
            })];
    }

    /// <summary>What <see cref="SwitchAccounts"/> takes.</summary>
    public static NpgsqlParameter[] Parameters(ProRating proRating, GrantEnds? ends, DateTimeOffset now) =>
    [
        GrantEnds.AtOf(ends),
        new("ProRatedSeconds", NpgsqlDbType.Double) { Value = proRating.Period is { } period ? period.TotalSeconds : DBNull.Value },
        proRating.Tiers.Column("Tiers", NpgsqlDbType.Text, tier => tier.Tier),
        proRating.Tiers.Column("Amounts", NpgsqlDbType.Numeric, tier => tier.Credits),
        new("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
    ];

    private sealed record SwitchedAccount(string AccountId, string Earlier, string Tier, decimal Balance, string Realm, string KeycloakId);
}
