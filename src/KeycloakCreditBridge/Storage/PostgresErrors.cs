using Npgsql;

namespace KeycloakCreditBridge.Storage;

/// <summary>What a PostgreSQL error says about the rows that met it.</summary>
internal static class PostgresErrors
{
    /// <summary>True when the rows themselves are at fault (SQLSTATE classes 22 and 23): the same rows fail again, others need not.</summary>
    public static bool IsCausedByData(PostgresException exception) =>
        exception.SqlState.StartsWith("22", StringComparison.Ordinal) || exception.SqlState.StartsWith("23", StringComparison.Ordinal);
}
