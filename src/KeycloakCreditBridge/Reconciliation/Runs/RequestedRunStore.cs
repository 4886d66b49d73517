using System.Globalization;
using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>Runs that wait for a replica: enqueued, shown and cancelled.</summary>
internal sealed class RequestedRunStore(NpgsqlDataSource dataSource)
{
    private const string EnqueueSql =
        """
        insert into reconcile_runs (realm, mode, trigger, since, dry_run, re_evaluate, user_ids, allow_closing, status, owner, started_at,
            updated_at)
        values (@Realm, @Mode, @Trigger, @Since::timestamptz, @DryRun, @ReEvaluate, @UserIds::text[], @AllowClosing::int, 'waiting', '',
            @Now, @Now)
        returning id
        """;

    // Runs whose process died or was stopped; after a while also failed runs, since the fault may be over. Of failed runs only the latest
    // of a trigger, and none of the schedule: a long fault would leave one for each of its hours. A later complete scan replaces all but
    // runs over HTTP.
    private const string RequeueInterruptedSql =
        $"""
        update reconcile_runs r
        set status = 'waiting', owner = '', ended_at = updated_at, updated_at = @Now
        where realm = any (@Realms::text[]) and {ReconcileRunStore.ResumedByService} and not cancel_asked and started_at > @NotBefore
            and (status = 'running' and not exists (select from leases l where l.name = 'reconcile:' || r.realm and l.held_until > @Now)
                or status = 'stopped'
                or status = 'failed' and trigger not in ('http', 'schedule') and updated_at < @FailedBefore
                    and not exists (select from reconcile_runs n where n.realm = r.realm and n.id > r.id and n.trigger = r.trigger))
            and (trigger = 'http' or not exists (
                select from reconcile_runs n
                where n.realm = r.realm and n.id > r.id and n.mode <> 'counts' and n.user_ids is null and n.since is null and not n.dry_run
                    and n.status in ('waiting', 'running', 'done')))
        """;

    private const string WaitingSql =
        """
        select id, realm, mode, trigger, since, dry_run, re_evaluate, user_ids, allow_closing
        from reconcile_runs
        where id = @Id and status = 'waiting'
        """;

    private const string AllWaitingSql =
        "select id, realm from reconcile_runs where realm = any (@Realms::text[]) and status = 'waiting' order by id";

    private const string Columns =
        """
        id, realm, mode, trigger, status, since, dry_run, re_evaluate, expected, seen, missing, provisioned, failed,
            not_shown, closed, left_out, error, cancel_asked, started_at, updated_at, ended_at, per_second, seconds_left
        """;

    private const string FindSql = $"select {Columns} from reconcile_runs where realm = @Realm and id = @Id::bigint";

    private const string LatestSql = $"select {Columns} from reconcile_runs where realm = @Realm order by id desc limit @Most::int";

    // No process would end a waiting run.
    private const string CancelSql =
        """
        update reconcile_runs
        set cancel_asked = true, status = case when status = 'waiting' then 'cancelled' else status end,
            ended_at = case when status = 'waiting' then @Now::timestamptz else ended_at end, updated_at = @Now
        where realm = @Realm and id = @Id::bigint and status in ('waiting', 'running')
        """;

    private const string EndSql =
        "update reconcile_runs set status = 'cancelled', error = @Reason, ended_at = @Now, updated_at = @Now where id = @Run and status " +
        "= 'waiting'";

    /// <summary>How the schedule names a waiting run.</summary>
    public static string TriggerName(long run) => run.ToString(CultureInfo.InvariantCulture);

    /// <summary>Records a run that begins as soon as a replica can.</summary>
    public async Task<long> EnqueueAsync(RunRequest request, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition(
            EnqueueSql,
            new
            {
                request.Realm,
                Mode = request.Mode.Text(),
                request.Trigger,
                request.Since,
                request.DryRun,
                request.ReEvaluate,
                UserIds = request.UserIds?.ToArray(),
                request.AllowClosing,
                Now = now,
            },
            cancellationToken: cancellationToken));
    }

    /// <summary>Sets interrupted runs of these realms back to waiting, if the service began them.</summary>
    /// <param name="realms">The realms' names.</param>
    /// <param name="now">A lease that ended before this is free.</param>
    /// <param name="notBefore">Runs that began earlier are too old to resume.</param>
    /// <param name="failedBefore">Runs that failed later wait longer.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public async Task RequeueInterruptedAsync(
        string[] realms, DateTimeOffset now, DateTimeOffset notBefore, DateTimeOffset failedBefore, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            RequeueInterruptedSql, new { Realms = realms, Now = now, NotBefore = notBefore, FailedBefore = failedBefore },
            cancellationToken: cancellationToken));
    }

    /// <summary>The request of a waiting run; null when it was cancelled.</summary>
    public async Task<RunRequest?> FindWaitingAsync(string name, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var waiting = await connection.QuerySingleOrDefaultAsync<WaitingRow>(new CommandDefinition(
            WaitingSql, new { Id = long.Parse(name.Split(' ')[0], CultureInfo.InvariantCulture) }, cancellationToken: cancellationToken));
        return waiting?.ToRequest();
    }

    /// <summary>Waiting runs of these realms, the oldest first.</summary>
    public async Task<IReadOnlyList<(long Run, string Realm)>> WaitingAsync(string[] realms, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<(long, string)>(
            new CommandDefinition(AllWaitingSql, new { Realms = realms }, cancellationToken: cancellationToken))];
    }

    public async Task<RunView?> FindAsync(string realm, long id, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<RunView>(
            new CommandDefinition(FindSql, new { Realm = realm, Id = id }, cancellationToken: cancellationToken));
    }

    /// <summary>The realm's runs, the latest first.</summary>
    public async Task<IReadOnlyList<RunView>> LatestAsync(string realm, int most, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<RunView>(
            new CommandDefinition(LatestSql, new { Realm = realm, Most = most }, cancellationToken: cancellationToken))];
    }

    /// <summary>Cancels a run: it ends after its current part. False when it has ended already.</summary>
    public async Task<bool> CancelAsync(string realm, long id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(
            new CommandDefinition(CancelSql, new { Realm = realm, Id = id, Now = now }, cancellationToken: cancellationToken)) == 1;
    }

    /// <summary>Ends a waiting run that is no longer needed.</summary>
    public async Task EndAsync(long run, string reason, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(
            new CommandDefinition(EndSql, new { Run = run, Reason = reason, Now = now }, cancellationToken: cancellationToken));
    }

    // Not positional: Dapper does not pass arrays to constructors.
    private sealed record WaitingRow
    {
        public long Id { get; init; }

        public string Realm { get; init; } = "";

        public string Mode { get; init; } = "";

        public string Trigger { get; init; } = "";

        public DateTimeOffset? Since { get; init; }

        public bool DryRun { get; init; }

        public bool ReEvaluate { get; init; }

        public string[]? UserIds { get; init; }

        public int? AllowClosing { get; init; }

        public RunRequest ToRequest() => new(
            Realm, Trigger, Since, UserIds, DryRun, ReEvaluate, Enum.Parse<ReconcileMode>(Mode, ignoreCase: true), AllowClosing, Id);
    }
}

/// <summary>A run as the API shows it.</summary>
/// <param name="Mode">How the realm is read; `auto` until the run begins.</param>
/// <param name="Status">`waiting`, `running`, `done`, `failed`, `stopped` or `cancelled`.</param>
/// <param name="Expected">How many users the realm had at the start.</param>
/// <param name="NotShown">Users on record that Keycloak did not show.</param>
/// <param name="LeftOut">Users without an account at the run's end, because the account of their id belongs to another user.</param>
/// <param name="CancelAsked">It ends after its current part.</param>
/// <param name="PerSecond">Users seen a second since its process began or resumed it.</param>
/// <param name="SecondsLeft">How long the rest takes at this rate, when last saved; null where that is not known.</param>
internal sealed record RunView(
    long Id, string Realm, string Mode, string Trigger, string Status, DateTimeOffset? Since, bool DryRun, bool ReEvaluate, long? Expected,
    long Seen,
    long Missing, long Provisioned, long Failed, long NotShown, long Closed, long LeftOut, string? Error, bool CancelAsked,
    DateTimeOffset StartedAt, DateTimeOffset UpdatedAt, DateTimeOffset? EndedAt, long? PerSecond, long? SecondsLeft);
