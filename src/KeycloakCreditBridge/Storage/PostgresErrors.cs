using Npgsql;

namespace KeycloakCreditBridge.Storage;

/// <summary>What a PostgreSQL error says about the rows that met it.</summary>
internal static class PostgresErrors
{
    // Wrong data, broken constraint, broken check option of a view, too long for an index, and errors that an installation's triggers
    // raise.
    private static readonly string[] CausedByData = ["22", "23", "44", "54", "P0"];

    // The database is unreachable, stops, takes no writes, or rolled back one of several conflicting transactions; all of it passes by
    // itself.
    private static readonly string[] CausedByServer = ["08", "25", "40", "53", "57P", "58"];

    /// <summary>True when the rows themselves are at fault: the same rows fail again, others need not.</summary>
    public static bool IsCausedByData(PostgresException exception) =>
        Array.Exists(CausedByData, sqlClass => exception.SqlState.StartsWith(sqlClass, StringComparison.Ordinal));

    /// <summary>True when the time ran out: a row was locked for long, or the database is slow. It passes by itself.</summary>
    public static bool IsTimeout(Exception exception) => exception
        is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled }
        or NpgsqlException { InnerException: TimeoutException };

    /// <summary>
    /// True when one row may be what blocks or fails all: it is locked, it takes longer than the timeout, or a policy or a broken page
    /// refuses it. All rows may fail the same way: only others that succeed show that they do not.
    /// </summary>
    public static bool MayConcernOneRow(NpgsqlException exception) => exception switch
    {
        PostgresException refused => !Array.Exists(CausedByServer, state => refused.SqlState.StartsWith(state, StringComparison.Ordinal)),
        _ => exception.InnerException is TimeoutException,
    };
}
