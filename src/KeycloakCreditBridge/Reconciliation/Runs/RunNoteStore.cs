using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>Removes the notes of runs about users that they saw or missed, once the runs cannot be resumed.</summary>
internal sealed class RunNoteStore(NpgsqlDataSource dataSource)
{
    // In parts, so that no statement takes long however many users a realm has.
    private const int Part = 20_000;

    private const string NotResumable =
        """
        run_id is not null and run_id not in (
            select id from reconcile_runs
            where status in ('running', 'waiting') or status in ('failed', 'stopped') and started_at > @NotBefore::timestamptz)
        """;

    // One index lookup a run, however many notes it has.
    private const string RunsOfSeenSql =
        $"""
        with recursive noted (run_id) as (
            select min(run_id) from reconcile_seen
            union all
            select (select min(s.run_id) from reconcile_seen s where s.run_id > noted.run_id) from noted where noted.run_id is not null)
        select run_id from noted where {NotResumable}
        """;

    private const string RunsOfAbsentSql =
        $"""
        with recursive noted (run_id) as (
            select min(run_id) from reconcile_absent
            union all
            select (select min(a.run_id) from reconcile_absent a where a.run_id > noted.run_id) from noted where noted.run_id is not null)
        select run_id from noted where {NotResumable}
        """;

    // Each part begins where the previous one ended, and does not scan what that removed.
    private const string EndOfSeenSql =
        """
        select max(keycloak_id) from (
            select keycloak_id from reconcile_seen where run_id = @RunId::bigint and keycloak_id > @After::text
                order by keycloak_id limit @Part::int) p
        """;

    private const string EndOfAbsentSql =
        """
        select max(keycloak_id) from (
            select keycloak_id from reconcile_absent where run_id = @RunId::bigint and keycloak_id > @After::text
                order by keycloak_id limit @Part::int) p
        """;

    private const string PurgeSeenSql =
        "delete from reconcile_seen where run_id = @RunId::bigint and keycloak_id > @After::text and keycloak_id <= @End::text";

    private const string PurgeAbsentSql =
        "delete from reconcile_absent where run_id = @RunId::bigint and keycloak_id > @After::text and keycloak_id <= @End::text";

    /// <summary>Removes them in parts.</summary>
    /// <param name="notBefore">Interrupted runs that began later may still be resumed.</param>
    /// <param name="cancellationToken">Ends it between parts.</param>
    public async Task PurgeAsync(DateTimeOffset notBefore, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await PurgeAsync(connection, RunsOfSeenSql, EndOfSeenSql, PurgeSeenSql, notBefore, cancellationToken);
        await PurgeAsync(connection, RunsOfAbsentSql, EndOfAbsentSql, PurgeAbsentSql, notBefore, cancellationToken);
    }

    private static async Task PurgeAsync(
        NpgsqlConnection connection, string runsSql, string endSql, string purgeSql, DateTimeOffset notBefore,
        CancellationToken cancellationToken)
    {
        var runs = await connection.QueryAsync<long>(
            new CommandDefinition(runsSql, new { NotBefore = notBefore }, cancellationToken: cancellationToken));
        foreach (var run in runs)
        {
            var after = "";
            while (await connection.ExecuteScalarAsync<string?>(
                new CommandDefinition(endSql, new { RunId = run, After = after, Part }, cancellationToken: cancellationToken)) is { } end)
            {
                await connection.ExecuteAsync(
                    new CommandDefinition(purgeSql, new { RunId = run, After = after, End = end }, cancellationToken: cancellationToken));
                after = end;
            }
        }
    }
}
