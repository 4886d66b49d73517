using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>
/// How many users Keycloak counts that neither a window shows nor a record has. A difference that a list could not explain is remembered,
/// so that the next run does not list the realm for it again.
/// </summary>
internal sealed class UnexplainedCountStore(NpgsqlDataSource dataSource)
{
    private const string SaveSql = "update reconcile_runs set unexplained = @Unexplained where id = @Id and owner = @Owner";

    private const string KeepSql =
        """
        update reconcile_runs r
        set unexplained = r.unexplained + (
            select coalesce(sum(case k.user_state when 'service_account' then 1 else -1 end), 0)
            from reconcile_absent a
            join keycloak_users k on k.realm = r.realm and k.keycloak_id = a.keycloak_id
            where a.run_id = r.id and k.user_state <> 'deleted' and k.keycloak_id not like 'f:%'
                and (k.user_state = 'service_account') = coalesce(k.created_at >= '1970-01-01 00:00:00+00', false))
        where r.id = @Id and r.owner = @Owner and r.unexplained is not null
        """;

    private const string LastSql =
        """
        select unexplained from reconcile_runs
        where realm = (select realm from reconcile_runs where id = @Id) and id < @Id and status = 'done' and unexplained is not null
            and not dry_run and since is null and failed = 0
        order by id desc
        limit 1
        """;

    public async Task SaveAsync(ReconcileRun run, long unexplained, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            SaveSql, new { run.Id, run.Owner, Unexplained = unexplained }, cancellationToken: cancellationToken));
    }

    /// <summary>
    /// Corrects the number for users that the run did not see and does not close: they are on record in the next run too.
    /// </summary>
    public async Task KeepAsync(ReconcileRun run, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            KeepSql, new { run.Id, run.Owner }, commandTimeout: 600, cancellationToken: cancellationToken));
    }

    /// <summary>The number of the latest complete run before this one; null when there is none.</summary>
    public async Task<long?> LastAsync(ReconcileRun run, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long?>(
            new CommandDefinition(LastSql, new { run.Id }, cancellationToken: cancellationToken));
    }
}
