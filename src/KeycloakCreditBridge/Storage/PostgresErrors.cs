using Npgsql;

namespace KeycloakCreditBridge.Storage;

/// <summary>What a PostgreSQL error says about the rows that met it.</summary>
internal static class PostgresErrors
{
    // Wrong data, broken constraint, broken check option of a view, too long for an index, and what a trigger of an installation raises.
    private static readonly string[] CausedByData = ["22", "23", "44", "54", "P0"];

    // The database is away, ends, takes no writes, or undid one of several that met; all of it passes by itself.
    private static readonly string[] CausedByServer = ["08", "25", "40", "53", "57P", "58"];

    /// <summary>True when the rows themselves are at fault: the same rows fail again, others need not.</summary>
    public static bool IsCausedByData(PostgresException exception) =>
        Array.Exists(CausedByData, sqlClass => exception.SqlState.StartsWith(sqlClass, StringComparison.Ordinal));

    /// <summary>
    /// True when one row may be what all wait for or fail by: it is locked, there is too much to do for it in time, or a policy or a broken page
    /// refuses it. The same may be said of all rows: only others that succeed show that it is not.
    /// </summary>
    public static bool MayConcernOneRow(NpgsqlException exception) => exception switch
    {
        PostgresException refused => !Array.Exists(CausedByServer, state => refused.SqlState.StartsWith(state, StringComparison.Ordinal)),
        _ => exception.InnerException is TimeoutException,
    };
}
