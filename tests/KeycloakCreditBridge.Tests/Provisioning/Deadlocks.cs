using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Provisioning;

/// <summary>What PostgreSQL says of deadlocks: a batch that met one is tried again and says nothing.</summary>
internal static class Deadlocks
{
    /// <summary>No other session may work on the database any more.</summary>
    public static async Task AssertNoDeadlockAsync(this TestDatabase database)
    {
        // A session reports its counts when it ends.
        database.DataSource.Clear();
        await Eventually.TrueAsync(
            () => database.ScalarAsync<bool>(
                "select count(*) = 0 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"),
            "all sessions have ended");
        Assert.Equal(0, await database.ScalarAsync<int>("select deadlocks::int from pg_stat_database where datname = current_database()"));
    }
}
