using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>When realms were last read completely.</summary>
internal sealed class CompleteRunStore(NpgsqlDataSource dataSource)
{
    private const string LatestSql =
        """
        select max(ended_at) from reconcile_runs
        where realm = @Realm and status = 'done' and mode <> 'users' and since is null and not dry_run
        """;

    private const string HasCompleteRunSql =
        """
        select exists (
            select from reconcile_runs
            where realm = @Realm and status = 'done' and mode not in ('users', 'counts') and since is null and not dry_run)
        """;

    // Of an interrupted run only the reading time counts: its rate is that of the process that ended it.
    private const string LastListSql =
        """
        select ended_at, least(ended_at - started_at, seen * interval '1 second' / nullif(per_second, 0)) as took from reconcile_runs
        where realm = @Realm and status = 'done' and mode = 'list' and since is null and not dry_run
        order by ended_at desc
        limit 1
        """;

    private const string LeftOutSql =
        "select count(*) from keycloak_users where realm = @Realm::text and user_state = 'excluded' and reason = 'account_id_taken'";

    /// <summary>How many users of the realm have no account, because the account of their id belongs to another user.</summary>
    public async Task<long> LeftOutAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(
            new CommandDefinition(LeftOutSql, new { Realm = realm }, cancellationToken: cancellationToken));
    }

    /// <summary>Whether the realm was ever read completely. Counts do not: without records every count differs.</summary>
    public async Task<bool> HasCompleteRunAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(
            new CommandDefinition(HasCompleteRunSql, new { Realm = realm }, cancellationToken: cancellationToken));
    }

    /// <summary>When the latest run over the whole realm ended; null when there was none.</summary>
    public async Task<DateTimeOffset?> LatestAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<DateTimeOffset?>(
            new CommandDefinition(LatestSql, new { Realm = realm }, cancellationToken: cancellationToken));
    }

    /// <summary>The latest run that listed the whole realm; null when there was none.</summary>
    public async Task<PastRun?> LastListAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<PastRun>(
            new CommandDefinition(LastListSql, new { Realm = realm }, cancellationToken: cancellationToken));
    }
}

/// <summary>A run that reached its end.</summary>
internal sealed record PastRun(DateTimeOffset EndedAt, TimeSpan Took);
