using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>Removes what runs noted of users whom they saw or missed, once nobody will continue them.</summary>
internal sealed class RunNoteStore(NpgsqlDataSource dataSource)
{
    // In parts, so that no statement takes long however many users a realm has.
    private const int Part = 20_000;

    private const string Kept =
        "select id from reconcile_runs where status in ('running', 'waiting') or status in ('failed', 'stopped') and started_at > @NotBefore::timestamptz";

    private const string ForgetSeenSql =
        $"""
        delete from reconcile_seen where ctid = any (array(
            select s.ctid from reconcile_seen s where s.run_id not in ({Kept}) limit @Part::int))
        """;

    private const string ForgetAbsentSql =
        $"""
        delete from reconcile_absent where ctid = any (array(
            select a.ctid from reconcile_absent a where a.run_id not in ({Kept}) limit @Part::int))
        """;

    /// <param name="notBefore">Interrupted runs that began later may be continued yet.</param>
    /// <param name="cancellationToken">Ends it between parts.</param>
    public async Task ForgetAsync(DateTimeOffset notBefore, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        foreach (var sql in (string[])[ForgetSeenSql, ForgetAbsentSql])
        {
            var command = new CommandDefinition(sql, new { NotBefore = notBefore, Part }, cancellationToken: cancellationToken);
            while (await connection.ExecuteAsync(command) == Part)
            {
            }
        }
    }
}
