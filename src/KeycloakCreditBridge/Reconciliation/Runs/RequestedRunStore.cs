using System.Globalization;
using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>Runs that were asked for over HTTP: announced, followed and cancelled.</summary>
internal sealed class RequestedRunStore(NpgsqlDataSource dataSource)
{
    private const string EnqueueSql =
        """
        insert into reconcile_runs (realm, mode, trigger, since, dry_run, re_evaluate, user_ids, allow_closing, status, owner, started_at, updated_at)
        values (@Realm, @Mode, @Trigger, @Since::timestamptz, @DryRun, @Rejudge, @UserIds::text[], @AllowClosing::int, 'waiting', '', @Now, @Now)
        returning id
        """;

    // Whose process is gone or was stopped, and, after a while, whom a fault ended that may be over by now: the latest of its kind, and none
    // that the schedule repeats, or a long fault would leave a run for each of its hours. What was read since by another complete reading is
    // not read again; what was asked for over HTTP is, but its failure is an answer.
    private const string RequeueInterruptedSql =
        $"""
        update reconcile_runs r
        set status = 'waiting', owner = '', ended_at = updated_at, updated_at = @Now
        where realm = any (@Realms::text[]) and {Reconciliation.Runs.ReconcileRunStore.ResumedByService} and not cancel_asked and started_at > @NotBefore
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

    private const string AllWaitingSql = "select id, realm from reconcile_runs where realm = any (@Realms::text[]) and status = 'waiting' order by id";

    private const string Columns =
        """
        id, realm, mode, trigger, status, since, dry_run, re_evaluate, expected, seen, missing, provisioned, failed, gone, closed, error,
            cancel_asked, started_at, updated_at, ended_at, per_second, seconds_left
        """;

    private const string FindSql = $"select {Columns} from reconcile_runs where realm = @Realm and id = @Id::bigint";

    private const string LatestSql = $"select {Columns} from reconcile_runs where realm = @Realm order by id desc limit @Most::int";

    // A run that waits has nobody who would end it.
    private const string CancelSql =
        """
        update reconcile_runs
        set cancel_asked = true, status = case when status = 'waiting' then 'cancelled' else status end,
            ended_at = case when status = 'waiting' then @Now::timestamptz else ended_at end, updated_at = @Now
        where realm = @Realm and id = @Id::bigint and status in ('waiting', 'running')
        """;

    private const string EndSql =
        "update reconcile_runs set status = 'cancelled', error = @Reason, ended_at = @Now, updated_at = @Now where id = @Run and status = 'waiting'";

    /// <summary>How the schedule names a run that was announced.</summary>
    public static string TriggerName(long run) => run.ToString(CultureInfo.InvariantCulture);

    /// <summary>Puts a run on record that is to begin as soon as a replica can.</summary>
    public async Task<long> EnqueueAsync(RunRequest request, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition(
            EnqueueSql,
            new
            {
                request.Realm,
                Mode = Reconciliation.Runs.ReconcileRunStore.Text(request.Mode),
                request.Trigger,
                request.Since,
                request.DryRun,
                request.Rejudge,
                UserIds = request.UserIds?.ToArray(),
                request.AllowClosing,
                Now = now,
            },
            cancellationToken: cancellationToken));
    }

    /// <summary>Puts runs of these realms back on record as waiting that the service began and did not bring to their end.</summary>
    /// <param name="realms">The realms' names.</param>
    /// <param name="now">The time by which a lease has ended or not.</param>
    /// <param name="notBefore">Runs that began earlier are left: so much has changed since.</param>
    /// <param name="failedBefore">Runs that failed later are left alone for now.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RequeueInterruptedAsync(
        string[] realms, DateTimeOffset now, DateTimeOffset notBefore, DateTimeOffset failedBefore, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            RequeueInterruptedSql, new { Realms = realms, Now = now, NotBefore = notBefore, FailedBefore = failedBefore }, cancellationToken: cancellationToken));
    }

    /// <summary>What a run that waits is to do; null when it was cancelled.</summary>
    public async Task<RunRequest?> FindWaitingAsync(string name, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var waiting = await connection.QuerySingleOrDefaultAsync<WaitingRow>(new CommandDefinition(
            WaitingSql, new { Id = long.Parse(name.Split(' ')[0], CultureInfo.InvariantCulture) }, cancellationToken: cancellationToken));
        return waiting?.ToRequest();
    }

    /// <summary>Runs of these realms that wait, the oldest first.</summary>
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

    /// <summary>Has a run end behind the part that it is at; false when it has ended.</summary>
    public async Task<bool> CancelAsync(string realm, long id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(
            new CommandDefinition(CancelSql, new { Realm = realm, Id = id, Now = now }, cancellationToken: cancellationToken)) == 1;
    }

    /// <summary>Ends a run that waits and that nobody needs any more.</summary>
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

        public bool Rejudge { get; init; }

        public string[]? UserIds { get; init; }

        public int? AllowClosing { get; init; }

        public RunRequest ToRequest() => new(
            Realm, Trigger, Since, UserIds, DryRun, Rejudge, Enum.Parse<ReconcileMode>(Mode, ignoreCase: true), AllowClosing, Id);
    }
}

/// <summary>A run as the API shows it.</summary>
/// <param name="Mode">How the realm is read; `auto` until the run begins.</param>
/// <param name="Status">`waiting`, `running`, `done`, `failed`, `stopped` or `cancelled`.</param>
/// <param name="Expected">How many people the realm had at the start.</param>
/// <param name="CancelAsked">It ends behind the part that it is at.</param>
/// <param name="PerSecond">Users seen a second since its process began or continued it.</param>
/// <param name="SecondsLeft">How long the rest took at this rate when that was last saved; null where it cannot be said.</param>
internal sealed record RunView(
    long Id, string Realm, string Mode, string Trigger, string Status, DateTimeOffset? Since, bool DryRun, bool Rejudge, long? Expected, long Seen,
    long Missing, long Provisioned, long Failed, long Gone, long Closed, string? Error, bool CancelAsked, DateTimeOffset StartedAt,
    DateTimeOffset UpdatedAt, DateTimeOffset? EndedAt, long? PerSecond, long? SecondsLeft);
