using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>Judgements as parameters, one value for each of a batch.</summary>
internal static class DesiredStateColumns
{
    /// <summary>What every statement about them takes.</summary>
    public static NpgsqlParameter[] Of(IReadOnlyList<DesiredState> batch) =>
    [
        batch.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
        batch.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
        batch.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
        batch.Column("Dispositions", NpgsqlDbType.Text, item => Text(item.State)),
        batch.Column("ReadAts", NpgsqlDbType.TimestampTz, item => item.ReadAt.UtcDateTime),
        batch.Nullable("Reasons", NpgsqlDbType.Text, item => item.Reason),
        batch.Nullable("Otherwise", NpgsqlDbType.Text, item => item.State != UserState.Excluded ? null : item.Enabled ? "account" : "held"),
        batch.Nullable("Renames", NpgsqlDbType.Boolean, item => item.Renames ? true : (bool?)null),
        batch.Nullable("Inherits", NpgsqlDbType.Boolean, item => item.Inherits ? true : (bool?)null),
        batch.Nullable("Unproven", NpgsqlDbType.Boolean, item => item.IsUnverified ? true : (bool?)null),
    ];

    /// <summary>What Keycloak says of the tiers of those whose accounts follow it.</summary>
    public static NpgsqlParameter[] TiersOf(IReadOnlyList<DesiredState> batch) =>
    [
        batch.Nullable("Follows", NpgsqlDbType.Boolean, item => item.TierFromKeycloak is null ? (bool?)null : true),
        batch.Nullable("SaidTiers", NpgsqlDbType.Text, item => item.TierFromKeycloak?.Tier),
    ];

    /// <summary>The rest, for those that are converged.</summary>
    public static NpgsqlParameter[] OpeningOf(IReadOnlyList<DesiredState> batch) =>
    [
        batch.Nullable("Forfeits", NpgsqlDbType.Boolean, item => item.Forfeits ? true : (bool?)null),
        batch.Nullable("EmailHashes", NpgsqlDbType.Bytea, item => item.EmailHash),
        batch.Nullable("Glimpses", NpgsqlDbType.Smallint, item => item.BriefFingerprint),
        batch.Column("CreatedAts", NpgsqlDbType.TimestampTz, item => item.CreatedAt?.UtcDateTime),
        batch.Column("Tiers", NpgsqlDbType.Text, item => item.Opening?.Tier),
        batch.Column("Amounts", NpgsqlDbType.Numeric, item => item.Opening?.Amount),
        batch.Column("Caps", NpgsqlDbType.Numeric, item => item.Opening?.MonthlyCap),
        batch.Column("Unlimited", NpgsqlDbType.Boolean, item => item.Opening?.Unlimited),
        batch.Column("PeriodEnds", NpgsqlDbType.TimestampTz, item => item.Opening?.PeriodEnd.UtcDateTime),
        batch.Column("Sources", NpgsqlDbType.Text, item => item.Source),
        batch.Column("HintVersions", NpgsqlDbType.Bigint, item => item.HintVersion),
    ];

    /// <summary>A column that most batches have nothing in, and that then costs nothing.</summary>
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
