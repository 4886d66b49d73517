using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>Switches accounts to the tier that Keycloak says, when it says something else than it did the last time.</summary>
internal static class TierFollowStore
{
    /// <summary>Common table expressions that switch each account of `target` and end with `switched`.</summary>
    internal static readonly string SwitchAccounts = SqlText.Of(typeof(TierFollowStore), "TierFollowStore.SwitchAccounts.sql");

    private static readonly string FollowSql = SqlText.Of(
        typeof(TierFollowStore), "TierFollowStore.Follow.sql", ("switch_accounts", SwitchAccounts));

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
                said.Column("MappedTiers", NpgsqlDbType.Text, item => item.TierFromKeycloak?.Tier),
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
