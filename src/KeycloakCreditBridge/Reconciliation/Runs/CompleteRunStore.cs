using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>When realms were last read from one end to the other.</summary>
internal sealed class CompleteRunStore(NpgsqlDataSource dataSource)
{
    private const string LatestSql =
        """
        select max(ended_at) from reconcile_runs
        where realm = @Realm and status = 'done' and mode <> 'users' and since is null and not dry_run
        """;

    private const string WasReadSql =
        """
        select exists (
            select from reconcile_runs
            where realm = @Realm and status = 'done' and mode not in ('users', 'counts') and since is null and not dry_run)
        """;

    /// <summary>Whether all of the realm's users were ever read: counts alone say nothing of a realm that is not on record.</summary>
    public async Task<bool> WasReadAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(
            new CommandDefinition(WasReadSql, new { Realm = realm }, cancellationToken: cancellationToken));
    }

    /// <summary>The end of the latest run over the whole realm; null when there was none.</summary>
    public async Task<DateTimeOffset?> LatestAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<DateTimeOffset?>(
            new CommandDefinition(LatestSql, new { Realm = realm }, cancellationToken: cancellationToken));
    }
}
