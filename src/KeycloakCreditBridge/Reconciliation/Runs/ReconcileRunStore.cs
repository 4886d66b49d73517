using Dapper;
using KeycloakCreditBridge.Reconciliation.Scans;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>The history of reconciliations, and the place where an interrupted one goes on.</summary>
internal sealed class ReconcileRunStore(NpgsqlDataSource dataSource)
{
    /// <summary>Runs that nobody but the service would take up. The next counts are as good as those that were interrupted.</summary>
    internal const string ResumedByService = "trigger <> 'command' and (mode <> 'counts' or trigger = 'http')";

    private const string PurgeSql = "delete from reconcile_runs where realm = @Realm and updated_at < @Before";

    // The lease is taken: whoever still counts as running in this realm is not. What the service began it goes on with.
    private const string CloseInterruptedSql =
        $"""
        update reconcile_runs
        set status = case when cancel_asked then 'cancelled' when {ResumedByService} then 'waiting' else 'failed' end, owner = '',
            error = 'Its process ended before it did.', ended_at = updated_at
        where realm = @Realm and status = 'running'
        """;

    private const string Progress = "r.id, r.started_at, r.phase, r.position, r.tail, r.seen, r.missing, r.provisioned, r.failed, r.closed";

    // Events that were lost may be of users whom an interrupted run is past.
    private const string ContinueSql =
        $"""
        update reconcile_runs r
        set status = 'running', owner = @Owner, trigger = @Trigger, error = null, ended_at = null, updated_at = @Now
        from (
            select id, status, trigger, started_at, position, phase, cancel_asked from reconcile_runs
            where realm = @Realm and mode = @Mode and since is not distinct from @Since::timestamptz
                and dry_run = @DryRun and re_evaluate = @Rejudge and user_ids is null
            order by id desc
            limit 1) latest
        where r.id = latest.id and @Trigger <> 'asked' and (latest.status in ('failed', 'stopped') or latest.status = 'waiting' and latest.trigger <> 'http')
            and latest.started_at > @NotBefore and (latest.position > 0 or latest.phase <> '') and not latest.cancel_asked
        returning {Progress}
        """;

    // One that was begun before goes on where it was, and is as old as it was: so no run is tried again for ever.
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
        values (@Realm, @Mode, @Trigger, @Since::timestamptz, @DryRun, @Rejudge, 'running', @Owner, @Now, @Now)
        returning id
        """;

    private const string SaveSql =
        """
        update reconcile_runs
        set phase = @Phase, position = @Position, tail = @Tail, expected = @Expected, seen = @Seen, missing = @Missing,
            provisioned = @Provisioned, failed = @Failed, gone = @Gone, closed = @Closed, updated_at = @Now,
            per_second = @PerSecond, seconds_left = @SecondsLeft
        where id = @Id and owner = @Owner and status = 'running'
        returning cancel_asked
        """;

    private const string SaveUnexplainedSql = "update reconcile_runs set unexplained = @Unexplained where id = @Id and owner = @Owner";

    private const string KeepUnexplainedSql =
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

    private const string LastUnexplainedSql =
        """
        select unexplained from reconcile_runs
        where realm = (select realm from reconcile_runs where id = @Id) and id < @Id and status = 'done' and unexplained is not null
            and not dry_run and since is null and failed = 0
        order by id desc
        limit 1
        """;

    private const string EndSql =
        """
        update reconcile_runs set status = @Status, error = @Error, updated_at = @Now, ended_at = @Now,
            tail = case when @Status = 'done' then '{}' else tail end
        where id = @Id and owner = @Owner and status = 'running'
        """;

    private const string RunningSql =
        """
        select id, trigger, started_at, seen, expected from reconcile_runs
        where realm = @Realm and status = 'running'
        order by id desc
        limit 1
        """;

    /// <summary>
    /// Begins a run, or takes up the latest of the same request if that one did not get to its end and is not older than
    /// <paramref name="notBefore"/>. Only for the holder of the realm's lease. Null when a run that was announced was cancelled meanwhile.
    /// </summary>
    public async Task<ReconcileRun?> BeginAsync(
        RunRequest request, ReconcileMode mode, string owner, DateTimeOffset now, DateTimeOffset notBefore, DateTimeOffset forgetBefore,
        CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var parameters = new
        {
            request.Realm,
            Mode = Text(mode),
            request.Trigger,
            request.Since,
            request.DryRun,
            request.Rejudge,
            request.WaitingRun,
            Owner = owner,
            Now = now,
            NotBefore = notBefore,
            Before = forgetBefore,
        };
        await connection.ExecuteAsync(Command(PurgeSql));
        await connection.ExecuteAsync(Command(CloseInterruptedSql));
        var run = request.WaitingRun is null ? await BeginOrContinueAsync() : await TakeAsync(BeginWaitingSql);
        await transaction.CommitAsync(cancellationToken);
        return run;

        async Task<ReconcileRun?> TakeAsync(string sql) => (await connection.QuerySingleOrDefaultAsync<RunRow>(Command(sql)))?.ToRun(owner, mode);

        async Task<ReconcileRun?> BeginOrContinueAsync() =>
            await TakeAsync(ContinueSql) is { } taken
                ? taken
                : New(await connection.ExecuteScalarAsync<long>(Command(AddSql)));

        ReconcileRun New(long id) => new(id, owner, mode, now, ScanPosition.Start, new ReconcileCounts());

        CommandDefinition Command(string sql) => new(sql, parameters, transaction, cancellationToken: cancellationToken);
    }

    /// <summary>Saves how far a run is; null when it is another's by now, true when an operator wants it to end.</summary>
    public async Task<bool?> SaveAsync(ReconcileRun run, ReconcileProgress progress, DateTimeOffset now, CancellationToken cancellationToken)
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
                run.Counts.Failed, run.Counts.Gone, run.Counts.Closed,
                PerSecond = (long)progress.PerSecond,
                SecondsLeft = (long?)progress.Left?.TotalSeconds,
                Now = now,
            },
            cancellationToken: cancellationToken));
    }

    /// <summary>Notes how many people counts tell of whom neither windows show nor a record has.</summary>
    public async Task SaveUnexplainedAsync(ReconcileRun run, long unexplained, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            SaveUnexplainedSql, new { run.Id, run.Owner, Unexplained = unexplained }, cancellationToken: cancellationToken));
    }

    /// <summary>Whom the run found gone and does not close is on record in the next one too, and counts there.</summary>
    public async Task KeepUnexplainedAsync(ReconcileRun run, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            KeepUnexplainedSql, new { run.Id, run.Owner }, commandTimeout: 600, cancellationToken: cancellationToken));
    }

    /// <summary>What the run before came to there; null when none got so far.</summary>
    public async Task<long?> LastUnexplainedAsync(ReconcileRun run, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long?>(
            new CommandDefinition(LastUnexplainedSql, new { run.Id }, cancellationToken: cancellationToken));
    }

    /// <summary>Ends a run as done, failed or stopped, unless it is another's by now.</summary>
    public async Task EndAsync(ReconcileRun run, ReconcileStatus status, string? error, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var text = status switch
        {
            ReconcileStatus.Done => "done",
            ReconcileStatus.Stopped => "stopped",
            ReconcileStatus.Failed => "failed",
            ReconcileStatus.Cancelled => "cancelled",
            _ => throw new ArgumentOutOfRangeException(nameof(status), status, "No end of a run."),
        };
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            EndSql, new { run.Id, run.Owner, Status = text, Error = error, Now = now }, cancellationToken: cancellationToken));
    }

    /// <summary>The run that is at work in a realm, if one is.</summary>
    public async Task<RunningRun?> RunningAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<RunningRun>(new CommandDefinition(
            RunningSql, new { Realm = realm }, cancellationToken: cancellationToken));
    }

    /// <summary>As `reconcile_runs.mode` has it.</summary>
    public static string Text(ReconcileMode mode) => mode.ToString().ToLowerInvariant();

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
            Id, owner, mode, StartedAt, new ScanPosition(Phase, Position, Tail), new ReconcileCounts(Seen, Missing, Provisioned, Failed, Closed: Closed));
    }
}
