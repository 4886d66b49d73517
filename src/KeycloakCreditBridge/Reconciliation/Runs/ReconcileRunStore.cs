using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>The history of runs, and the place at which an interrupted one resumes.</summary>
internal sealed class ReconcileRunStore(NpgsqlDataSource dataSource)
{
    /// <summary>Runs that only the service resumes. An operator repeats a command, and the next counts replace interrupted ones.</summary>
    internal const string ResumedByService = "trigger <> 'command' and (mode <> 'counts' or trigger = 'http')";

    private const string PurgeSql = "delete from reconcile_runs where realm = @Realm and updated_at < @Before";

    // The caller holds the lease, so no run of this realm is at work. The service resumes what it began.
    private const string CloseInterruptedSql =
        $"""
        update reconcile_runs
        set status = case when cancel_asked then 'cancelled' when {ResumedByService} then 'waiting' else 'failed' end, owner = '',
            error = 'Its process ended before it did.', ended_at = updated_at
        where realm = @Realm and status = 'running'
        """;

    private const string Progress = "r.id, r.started_at, r.phase, r.position, r.tail, r.seen, r.missing, r.provisioned, r.failed, r.closed";

    // A run for lost events begins anew: they may be of users that an interrupted run had read already.
    private const string ResumeSql =
        $"""
        update reconcile_runs r
        set status = 'running', owner = @Owner, trigger = @Trigger, error = null, ended_at = null, updated_at = @Now
        from (
            select id, status, trigger, started_at, position, phase, cancel_asked from reconcile_runs
            where realm = @Realm and mode = @Mode and since is not distinct from @Since::timestamptz
                and dry_run = @DryRun and re_evaluate = @ReEvaluate and user_ids is null
            order by id desc
            limit 1) latest
        where r.id = latest.id and @Trigger <> 'asked' and (latest.status in ('failed', 'stopped') or latest.status = 'waiting'
            and latest.trigger <> 'http')
            and latest.started_at > @NotBefore and (latest.position > 0 or latest.phase <> '') and not latest.cancel_asked
        returning {Progress}
        """;

    // A run that had begun resumes where it was and keeps its age, so no run is retried for ever.
    private const string BeginWaitingSql =
        $"""
        update reconcile_runs r
        set status = 'running', owner = @Owner, mode = @Mode, error = null, ended_at = null,
            started_at = case when ended_at is null then @Now else started_at end, updated_at = @Now
        where id = @WaitingRun and status = 'waiting'
        returning {Progress}
        """;

    private const string AddSql =
        """
        insert into reconcile_runs (realm, mode, trigger, since, dry_run, re_evaluate, status, owner, started_at, updated_at)
        values (@Realm, @Mode, @Trigger, @Since::timestamptz, @DryRun, @ReEvaluate, 'running', @Owner, @Now, @Now)
        returning id
        """;

    private const string SaveSql =
        """
        update reconcile_runs
        set phase = @Phase, position = @Position, tail = @Tail, expected = @Expected, seen = @Seen, missing = @Missing,
            provisioned = @Provisioned, failed = @Failed, not_shown = @NotShown, closed = @Closed, updated_at = @Now,
            per_second = @PerSecond, seconds_left = @SecondsLeft
        where id = @Id and owner = @Owner and status = 'running'
        returning cancel_asked
        """;

    private const string EndSql =
        """
        update reconcile_runs r set status = @Status, error = @Error, updated_at = @Now, ended_at = @Now,
            tail = case when @Status = 'done' then '{}' else tail end,
            left_out = @LeftOut::bigint + (
                select count(*) from keycloak_users k
                where k.realm = r.realm and k.user_state = 'excluded' and k.reason = 'account_id_taken')
        where id = @Id and owner = @Owner and status = 'running'
        returning left_out
        """;

    private const string RunningSql =
        """
        select id, trigger, started_at, seen, expected from reconcile_runs
        where realm = @Realm and status = 'running'
        order by id desc
        limit 1
        """;

    /// <summary>
    /// Begins a run, or resumes the latest of the same request if that one was interrupted and is not older than
    /// <paramref name="notBefore"/>. Only for the holder of the realm's lease. Null when a waiting run was cancelled meanwhile.
    /// </summary>
    public async Task<ReconcileRun?> BeginAsync(
        RunRequest request, ReconcileMode mode, string owner, DateTimeOffset now, DateTimeOffset notBefore, DateTimeOffset purgeBefore,
        CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var parameters = new
        {
            request.Realm,
            Mode = mode.Text(),
            request.Trigger,
            request.Since,
            request.DryRun,
            request.ReEvaluate,
            request.WaitingRun,
            Owner = owner,
            Now = now,
            NotBefore = notBefore,
            Before = purgeBefore,
        };
        await connection.ExecuteAsync(Command(PurgeSql));
        await connection.ExecuteAsync(Command(CloseInterruptedSql));
        var run = request.WaitingRun is null ? await BeginOrResumeAsync() : await TakeAsync(BeginWaitingSql);
        await transaction.CommitAsync(cancellationToken);
        return run;

        async Task<ReconcileRun?> TakeAsync(string sql) =>
            (await connection.QuerySingleOrDefaultAsync<RunRow>(Command(sql)))?.ToRun(owner, mode);

        async Task<ReconcileRun?> BeginOrResumeAsync() =>
            await TakeAsync(ResumeSql) is { } taken
                ? taken
                : New(await connection.ExecuteScalarAsync<long>(Command(AddSql)));

        ReconcileRun New(long id) => new(id, owner, mode, now, ScanPosition.Start, new ReconcileCounts());

        CommandDefinition Command(string sql) => new(sql, parameters, transaction, cancellationToken: cancellationToken);
    }

    /// <summary>Saves how far a run is. Null when another process owns it by now, true when an operator cancelled it.</summary>
    public async Task<bool?> SaveAsync(
        ReconcileRun run, ReconcileProgress progress, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool?>(new CommandDefinition(
            SaveSql,
            new
            {
                run.Id,
                run.Owner,
                run.Reached.Phase,
                Position = run.Reached.Number,
                Tail = run.Reached.Tail.ToArray(),
                progress.Expected,
                run.Counts.Seen, run.Counts.Missing, run.Counts.Provisioned,
                run.Counts.Failed, run.Counts.NotShown, run.Counts.Closed,
                PerSecond = (long)progress.PerSecond,
                SecondsLeft = (long?)progress.Left?.TotalSeconds,
                Now = now,
            },
            cancellationToken: cancellationToken));
    }

    /// <summary>
    /// Ends a run as done, failed, stopped or cancelled, unless another process owns it by now. Returns how many users of the realm are
    /// left out.
    /// </summary>
    public async Task<long> EndAsync(
        ReconcileRun run, ReconcileStatus status, string? error, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var text = status switch
        {
            ReconcileStatus.Done => "done",
            ReconcileStatus.Stopped => "stopped",
            ReconcileStatus.Failed => "failed",
            ReconcileStatus.Cancelled => "cancelled",
            _ => throw new ArgumentOutOfRangeException(nameof(status), status, "Not the end of a run."),
        };
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition(
            EndSql, new { run.Id, run.Owner, Status = text, Error = error, Now = now, run.Counts.LeftOut },
            cancellationToken: cancellationToken));
    }

    /// <summary>The run at work in a realm, if there is one.</summary>
    public async Task<RunningRun?> RunningAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<RunningRun>(new CommandDefinition(
            RunningSql, new { Realm = realm }, cancellationToken: cancellationToken));
    }

    // Not positional: Dapper does not pass arrays to constructors.
    private sealed record RunRow
    {
        public long Id { get; init; }

        public DateTimeOffset StartedAt { get; init; }

        public string Phase { get; init; } = "";

        public long Position { get; init; }

        public string[] Tail { get; init; } = [];

        public long Seen { get; init; }

        public long Missing { get; init; }

        public long Provisioned { get; init; }

        public long Failed { get; init; }

        public long Closed { get; init; }

        public ReconcileRun ToRun(string owner, ReconcileMode mode) => new(
            Id, owner, mode, StartedAt, new ScanPosition(Phase, Position, Tail),
            new ReconcileCounts(Seen, Missing, Provisioned, Failed, Closed: Closed));
    }
}

/// <summary>What is known of the run of another process.</summary>
internal sealed record RunningRun(long Id, string Trigger, DateTimeOffset StartedAt, long Seen, long? Expected);
