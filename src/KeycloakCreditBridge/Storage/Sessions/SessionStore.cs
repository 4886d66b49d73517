using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Storage.Sessions;

/// <summary>
/// Prepares sessions by statements. PgBouncer refuses settings in the startup packet (`options`, `search_path`) that it does not know.
/// </summary>
internal static class SessionStore
{
    // Two sessions that have the same process at the server, or one that changes it, do not have it for themselves.
    private const string ProcessSql = "select pg_backend_pid()";

    private const string SearchPathSql = "select set_config('search_path', @Path::text, false)";

    /// <summary>Settings of a session on the bridge's own database.</summary>
    // Every statement finds its rows by key, one user or thousands. Left to itself PostgreSQL would plan a statement anew at each run,
    // which costs more than running it, or keep a plan from when the tables were empty that reads them from end to end, and it would
    // compile small statements (jit) whose cost it so overrates. A session that hangs inside a transaction gives its locks back.
    public const string OwnSql =
        """
        select set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', false),
            set_config('jit', 'off', false), set_config('idle_in_transaction_session_timeout', '60s', false)
        """;

    /// <summary>Settings of a session on Keycloak's database, where nothing may be written.</summary>
    public const string KeycloakSql =
        """
        select set_config('default_transaction_read_only', 'on', false), set_config('standard_conforming_strings', 'on', false),
            set_config('jit', 'off', false), set_config('work_mem', '64MB', false),
            set_config('idle_in_transaction_session_timeout', '60s', false)
        """;

    /// <summary>A data source whose sessions have these settings.</summary>
    /// <param name="settings">The connection string; its password is used where <paramref name="password"/> is null.</param>
    /// <param name="sessionSql">The statement that makes the settings.</param>
    /// <param name="password">Asked for each new connection.</param>
    public static NpgsqlDataSource Build(NpgsqlConnectionStringBuilder settings, string sessionSql, Func<string?>? password)
    {
        var path = settings.SearchPath;
        settings = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { SearchPath = null };
        if (password is not null)
            settings.Password = null;
        var builder = new NpgsqlDataSourceBuilder(settings.ConnectionString);
        if (password is not null)
            builder.UsePasswordProvider(_ => password() ?? "", (_, _) => ValueTask.FromResult(password() ?? ""));
        builder.UsePhysicalConnectionInitializer(
            connection =>
            {
                connection.Execute(sessionSql);
                if (path is not null)
                    connection.Execute(SearchPathSql, new { Path = path });
            },
            async connection =>
            {
                await connection.ExecuteAsync(sessionSql);
                if (path is not null)
                    await connection.ExecuteAsync(SearchPathSql, new { Path = path });
            });
        return builder.Build();
    }

    /// <summary>What is wrong with the sessions, or null: a pooler between may lend a session for one transaction at a time.</summary>
    public static async Task<string?> ProblemAsync(NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        await using var one = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var two = await dataSource.OpenConnectionAsync(cancellationToken);
        var first = await ProcessAsync(one);
        return await ProcessAsync(two) == first || await ProcessAsync(one) != first
            ? "Storage:ConnectionString leads to a pooler that lends sessions for one transaction at a time, and the bridge needs "
                + "sessions of its own: set pool_mode = session for this database in PgBouncer, or connect to PostgreSQL itself."
            : null;

        Task<int> ProcessAsync(NpgsqlConnection connection) =>
            connection.ExecuteScalarAsync<int>(new CommandDefinition(ProcessSql, cancellationToken: cancellationToken));
    }
}
