using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>The history of reconciliations, and the place where an interrupted one goes on.</summary>
internal sealed class ReconcileRunStore(NpgsqlDataSource dataSource)
{
    private const string ForgetSql = "delete from reconcile_runs where realm = @Realm and updated_at < @Before";

    // The lease is taken: whoever still counts as running in this realm is not.
    private const string CloseLeftBehindSql =
        """
        update reconcile_runs set status = 'failed', error = 'Its process ended before it did.', ended_at = updated_at
        where realm = @Realm and status = 'running'
        """;

    private const string ContinueSql =
        """
        update reconcile_runs r
        set status = 'running', owner = @Owner, trigger = @Trigger, error = null, ended_at = null, updated_at = @Now
        from (
            select id, status, started_at, position from reconcile_runs
            where realm = @Realm and mode = @Mode and since is not distinct from @Since::timestamptz
                and dry_run = @DryRun and rejudge = @Rejudge
            order by id desc
            limit 1) latest
        where r.id = latest.id and latest.status in ('failed', 'stopped') and latest.started_at > @NotBefore and latest.position > 0
        returning r.id, r.position, r.tail, r.seen, r.missing, r.provisioned, r.failed
        """;

    private const string AddSql =
        """
        insert into reconcile_runs (realm, mode, trigger, since, dry_run, rejudge, status, owner, started_at, updated_at)
        values (@Realm, @Mode, @Trigger, @Since::timestamptz, @DryRun, @Rejudge, 'running', @Owner, @Now, @Now)
        returning id
        """;

    private const string SaveSql =
        """
        update reconcile_runs
        set position = @Position, tail = @Tail, expected = @Expected, seen = @Seen, missing = @Missing, provisioned = @Provisioned,
            failed = @Failed, updated_at = @Now
        where id = @Id and owner = @Owner and status = 'running'
        """;

    private const string EndSql =
        """
        update reconcile_runs set status = @Status, error = @Error, updated_at = @Now, ended_at = @Now,
            tail = case when @Status = 'done' then '{}' else tail end
        where id = @Id and owner = @Owner and status = 'running'
        """;

    private const string WasFinishedSql =
        """
        select exists (
            select from reconcile_runs
            where realm = @Realm and status = 'done' and mode <> 'users' and since is null and not dry_run)
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
    /// <paramref name="notBefore"/>. Only for the holder of the realm's lease.
    /// </summary>
    public async Task<ReconcileRun> BeginAsync(
        ReconcileRequest request, string owner, DateTimeOffset now, DateTimeOffset notBefore, DateTimeOffset forgetBefore,
        CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var parameters = new
        {
            request.Realm,
            request.Mode,
            request.Trigger,
            request.Since,
            request.DryRun,
            request.Rejudge,
            Owner = owner,
            Now = now,
            NotBefore = notBefore,
            Before = forgetBefore,
        };
        await connection.ExecuteAsync(Command(ForgetSql));
        await connection.ExecuteAsync(Command(CloseLeftBehindSql));
        var taken = await connection.QuerySingleOrDefaultAsync<RunRow>(Command(ContinueSql));
        var run = taken is null
            ? new ReconcileRun(await connection.ExecuteScalarAsync<long>(Command(AddSql)), owner, ListPosition.Start, new ReconcileCounts())
            : taken.ToRun(owner);
        await transaction.CommitAsync(cancellationToken);
        return run;

        CommandDefinition Command(string sql) => new(sql, parameters, transaction, cancellationToken: cancellationToken);
    }

    /// <summary>Saves how far a run is; false when it is another's by now.</summary>
    public async Task<bool> SaveAsync(ReconcileRun run, long? expected, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(new CommandDefinition(
            SaveSql,
            new
            {
                run.Id,
                run.Owner,
                Position = run.Reached.Rows,
                Tail = run.Reached.Tail.ToArray(),
                Expected = expected,
                run.Counts.Seen,
                run.Counts.Missing,
                run.Counts.Provisioned,
                run.Counts.Failed,
                Now = now,
            },
            cancellationToken: cancellationToken)) == 1;
    }

    /// <summary>Ends a run as done, failed or stopped, unless it is another's by now.</summary>
    public async Task EndAsync(ReconcileRun run, ReconcileStatus status, string? error, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var text = status switch
        {
            ReconcileStatus.Done => "done",
            ReconcileStatus.Stopped => "stopped",
            ReconcileStatus.Failed => "failed",
            _ => throw new ArgumentOutOfRangeException(nameof(status), status, "No end of a run."),
        };
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            EndSql, new { run.Id, run.Owner, Status = text, Error = error, Now = now }, cancellationToken: cancellationToken));
    }

    /// <summary>Whether the whole realm was ever reconciled to the end.</summary>
    public async Task<bool> WasFinishedAsync(string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(
            new CommandDefinition(WasFinishedSql, new { Realm = realm }, cancellationToken: cancellationToken));
    }

    /// <summary>The run that is at work in a realm, if one is.</summary>
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

        public long Position { get; init; }

        public string[] Tail { get; init; } = [];

        public long Seen { get; init; }

        public long Missing { get; init; }

        public long Provisioned { get; init; }

        public long Failed { get; init; }

        public ReconcileRun ToRun(string owner) =>
            new(Id, owner, new ListPosition(Position, Tail), new ReconcileCounts(Seen, Missing, Provisioned, Failed));
    }
}

/// <summary>A run at work.</summary>
/// <param name="Owner">The holder of the realm's lease.</param>
/// <param name="Reached">How far the listing was read.</param>
internal sealed record ReconcileRun(long Id, string Owner, ListPosition Reached, ReconcileCounts Counts)
{
    /// <summary>Whether another process had begun it.</summary>
    public bool IsContinued => Reached.Rows > 0;
}

/// <summary>What is known of another's run.</summary>
internal sealed record RunningRun(long Id, string Trigger, DateTimeOffset StartedAt, long Seen, long? Expected);
