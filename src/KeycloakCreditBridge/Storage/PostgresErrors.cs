using Npgsql;

namespace KeycloakCreditBridge.Storage;

/// <summary>What a PostgreSQL error says about the rows that met it.</summary>
internal static class PostgresErrors
{
    // Wrong data, broken constraint, broken check option of a view, too long for an index, and what a trigger of an installation raises.
    private static readonly string[] CausedByData = ["22", "23", "44", "54", "P0"];

    /// <summary>True when the rows themselves are at fault: the same rows fail again, others need not.</summary>
    public static bool IsCausedByData(PostgresException exception) =>
        Array.Exists(CausedByData, sqlClass => exception.SqlState.StartsWith(sqlClass, StringComparison.Ordinal));
}
