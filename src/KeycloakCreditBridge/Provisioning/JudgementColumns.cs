using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>Judgements as parameters: those columns that every statement about them takes.</summary>
internal static class JudgementColumns
{
    public static NpgsqlParameter[] Of(IReadOnlyList<Judgement> batch) =>
    [
        batch.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
        batch.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
        batch.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
        batch.Column("Dispositions", NpgsqlDbType.Text, item => Text(item.Disposition)),
        batch.Column("ReadAts", NpgsqlDbType.TimestampTz, item => item.ReadAt.UtcDateTime),
        batch.Nullable("Reasons", NpgsqlDbType.Text, item => item.Reason),
        batch.Nullable("Otherwise", NpgsqlDbType.Text, item => item.Disposition != Disposition.Excluded ? null : item.Enabled ? "account" : "held"),
        batch.Nullable("Renames", NpgsqlDbType.Boolean, item => item.Renames ? true : (bool?)null),
        batch.Nullable("Inherits", NpgsqlDbType.Boolean, item => item.Inherits ? true : (bool?)null),
    ];

    /// <summary>A column that most batches have nothing in, and that then costs nothing.</summary>
    public static NpgsqlParameter Nullable<TValue>(
        this IReadOnlyList<Judgement> batch, string name, NpgsqlDbType type, Func<Judgement, TValue?> value) =>
        batch.Any(item => value(item) is not null)
            ? batch.Column(name, type, value)
            : new NpgsqlParameter(name, NpgsqlDbType.Array | type) { Value = DBNull.Value };

    private static string Text(Disposition disposition) => disposition switch
    {
        Disposition.Account => "account",
        Disposition.Held => "held",
        Disposition.ServiceAccount => "service_account",
        Disposition.Excluded => "excluded",
        Disposition.Deleted => "deleted",
        _ => throw new ArgumentOutOfRangeException(nameof(disposition), disposition, "No such disposition."),
    };
}
