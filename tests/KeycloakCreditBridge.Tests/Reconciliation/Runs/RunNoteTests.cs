using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Runs;

/// <summary>The notes of runs about users that they saw or missed.</summary>
public sealed class RunNoteTests(PostgresFixture postgres)
{
    private const string RunsSql =
        """
        insert into reconcile_runs (realm, mode, trigger, dry_run, re_evaluate, status, owner, started_at, updated_at)
        select 'shop', 'list', 'command', false, false, r.status, '', r.started_at, now()
        from (values ('done', now()), ('failed', now()), ('failed', now() - interval '25 hours'), ('stopped', now()),
            ('running', now() - interval '25 hours'),
            ('cancelled', now())) as r (status, started_at)
        """;

    // Runs without a row have been forgotten themselves.
    private const string NotesSql =
        """
        insert into reconcile_seen select run, 'user-' || number
            from generate_series(1, 8) as run, generate_series(1, case when run in (1, 8) then 45000 else 3 end) as number;
        insert into reconcile_absent select run_id, keycloak_id from reconcile_seen
        """;

    [Fact]
    public async Task Notes_last_as_long_as_their_run_may_be_resumed()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(RunsSql);
        await database.ExecuteAsync(NotesSql);

        await new RunNoteStore(database.DataSource).PurgeAsync(DateTimeOffset.UtcNow.AddDays(-1), TestContext.Current.CancellationToken);

        foreach (var table in (string[])["reconcile_seen", "reconcile_absent"])
            Assert.Equal(
                ["2 3", "4 3", "5 3"],
                await database.QueryAsync<string>($"select run_id || ' ' || count(*) from {table} group by run_id order by run_id"));
    }
}
