namespace KeycloakCreditBridge.Tests.Storage;

/// <summary>The sessions of one database that wait: other tests wait in theirs, on the same server.</summary>
internal static class LockWaits
{
    private const string Waiting =
        """
        from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = @Kind and query like '%' || @Statement || '%'
        """;

    /// <summary>How many sessions wait in a statement that contains the text given.</summary>
    /// <param name="database">The database of the test.</param>
    /// <param name="statement">A part of the statement; empty for any.</param>
    /// <param name="kind">PostgreSQL's <c>wait_event_type</c>.</param>
    public static Task<int> WaitingAsync(this TestDatabase database, string statement = "", string kind = "Lock") =>
        database.ScalarAsync<int>($"select count(*)::int {Waiting}", new { Statement = statement, Kind = kind });

    public static async Task<bool> WaitsAsync(this TestDatabase database, string statement = "", string kind = "Lock") =>
        await database.WaitingAsync(statement, kind) > 0;

    /// <summary>
    /// Ends the sessions that wait for a lock, as PostgreSQL itself does when it notices that their client has disconnected.
    /// </summary>
    public static Task<int> EndWaitingAsync(this TestDatabase database, string statement = "") =>
        database.ScalarAsync<int>($"select count(pg_terminate_backend(pid))::int {Waiting}", new { Statement = statement, Kind = "Lock" });
}
