using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts.Batches;

/// <summary>Desired states as parameters: an array for each column, one value a user.</summary>
internal static class DesiredStateColumns
{
    /// <summary>The columns of every statement that compares them with the record.</summary>
    public static NpgsqlParameter[] Of(IReadOnlyList<DesiredState> batch) =>
    [
        batch.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
        batch.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
        batch.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
        batch.Column("States", NpgsqlDbType.Text, item => Text(item.State)),
        batch.Column("ReadAts", NpgsqlDbType.TimestampTz, item => item.ReadAt.UtcDateTime),
        batch.Nullable("Reasons", NpgsqlDbType.Text, item => item.Reason),
        batch.Nullable(
            "StatesIfPresent", NpgsqlDbType.Text, item => item.State != UserState.Excluded ? null : item.Enabled ? "account" : "held"),
        batch.Nullable("Renames", NpgsqlDbType.Boolean, item => item.Renames ? true : (bool?)null),
        batch.Nullable("Inherits", NpgsqlDbType.Boolean, item => item.Inherits ? true : (bool?)null),
        batch.Nullable("LeavesUnowned", NpgsqlDbType.Boolean, item => item.LeavesUnowned ? true : (bool?)null),
        batch.Nullable("AwaitsVerification", NpgsqlDbType.Boolean, item => item.AwaitsVerification ? true : (bool?)null),
    ];

    /// <summary>The tiers in Keycloak of users whose accounts follow it.</summary>
    public static NpgsqlParameter[] TiersOf(IReadOnlyList<DesiredState> batch) =>
    [
        batch.Nullable("FollowsTier", NpgsqlDbType.Boolean, item => item.TierFromKeycloak is null ? (bool?)null : true),
        batch.Nullable("MappedTiers", NpgsqlDbType.Text, item => item.TierFromKeycloak?.Tier),
    ];

    /// <summary>The further columns of converging.</summary>
    public static NpgsqlParameter[] OpeningOf(IReadOnlyList<DesiredState> batch) =>
    [
        batch.Nullable("LeavesRecords", NpgsqlDbType.Boolean, item => item.LeavesRecord ? true : (bool?)null),
        batch.Nullable("Forfeits", NpgsqlDbType.Boolean, item => item.Forfeits ? true : (bool?)null),
        batch.Nullable("ClaimKinds", NpgsqlDbType.Text, item => item.Claim?.Kind),
        batch.Nullable("ClaimHashes", NpgsqlDbType.Bytea, item => item.Claim?.Hash),
        batch.Nullable("BriefFingerprints", NpgsqlDbType.Smallint, item => item.BriefFingerprint),
        batch.Column("CreatedAts", NpgsqlDbType.TimestampTz, item => item.CreatedAt?.UtcDateTime),
        batch.Column("Tiers", NpgsqlDbType.Text, item => item.Opening?.Tier),
        batch.Column("Amounts", NpgsqlDbType.Numeric, item => item.Opening?.Amount),
        batch.Column("Caps", NpgsqlDbType.Numeric, item => item.Opening?.MonthlyCap),
        batch.Column("Unlimited", NpgsqlDbType.Boolean, item => item.Opening?.Unlimited),
        batch.Column("PeriodEnds", NpgsqlDbType.TimestampTz, item => item.Opening?.PeriodEnd.UtcDateTime),
        batch.Column("Sources", NpgsqlDbType.Text, item => item.Source),
        batch.Column("HintVersions", NpgsqlDbType.Bigint, item => item.HintVersion),
    ];

    /// <summary>A column that is empty in most batches. One null for all of it costs nothing.</summary>
    private static NpgsqlParameter Nullable<TValue>(
        this IReadOnlyList<DesiredState> batch, string name, NpgsqlDbType type, Func<DesiredState, TValue?> value) =>
        batch.Any(item => value(item) is not null)
            ? batch.Column(name, type, value)
            : new NpgsqlParameter(name, NpgsqlDbType.Array | type) { Value = DBNull.Value };

    private static string Text(UserState state) => state switch
    {
        UserState.Account => "account",
        UserState.Held => "held",
        UserState.ServiceAccount => "service_account",
        UserState.Excluded => "excluded",
        UserState.Deleted => "deleted",
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, "No such state."),
    };
}
