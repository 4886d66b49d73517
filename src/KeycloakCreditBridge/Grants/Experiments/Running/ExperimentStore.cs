using Dapper;
using KeycloakCreditBridge.Storage.Replicas;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Experiments.Running;

/// <summary>Keeps what experiments compare, from when they begin, and what is decided about them.</summary>
internal sealed class ExperimentStore(NpgsqlDataSource dataSource)
{
    /// <summary>The migration without which a replica opens accounts without experiments.</summary>
    public const int Migration = 83;

    private const string BeginSql =
        """
        insert into experiments (realm, experiment, version, definition, started_at)
        values (@Realm, @Experiment, @Version, @Definition, @Now)
        on conflict (realm, experiment, version) do nothing
        """;

    private const string ListSql =
        """
        select realm, experiment, version, definition, started_at, stopped_at, winner
        from experiments
        order by realm collate "C", experiment collate "C", version
        """;

    // The version that runs is the last one that began.
    private const string DecideSql =
        """
        with decided as (
            update experiments e set stopped_at = coalesce(e.stopped_at, @Now), winner = coalesce(@Winner, e.winner)
            where e.realm = @Realm and e.experiment = @Experiment
                and e.version = (select max(l.version) from experiments l where l.realm = @Realm and l.experiment = @Experiment)
                and (e.stopped_at is null or @Winner is distinct from e.winner and @Winner is not null)
            returning e.version
        ),
        audited as (
            insert into audit_logs (timestamp, action, result, resource_type, resource_id, metadata)
            select @Now, case when @Winner is null then 'experiment.stop' else 'experiment.winner' end, 'success', 'experiments',
                @Experiment, jsonb_strip_nulls(jsonb_build_object(
                    'realm', @Realm::text, 'version', d.version, 'winner', @Winner::text, 'by', @By::text))
            from decided d
        )
        select version from decided
        """;

    /// <summary>Freezes what a version compares, if it never was.</summary>
    /// <returns>Replicas of an older program: while there are any it does not begin.</returns>
    public async Task<IReadOnlyList<Replica>> BeginAsync(
        string realm, ExperimentTerms experiment, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await ReplicaStore.LockLackingAsync(connection, Migration, cancellationToken) is { Count: > 0 } older)
            return older;
        await connection.ExecuteAsync(new CommandDefinition(
            BeginSql,
            new { Realm = realm, Experiment = experiment.Key, experiment.Version, experiment.Definition, Now = now },
            cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
        return [];
    }

    /// <summary>All versions that ever began.</summary>
    public async Task<IReadOnlyList<BegunExperiment>> ListAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<BegunExperiment>(new CommandDefinition(ListSql, cancellationToken: cancellationToken))];
    }

    /// <summary>Ends the assignment of users in all replicas, and names the arm that all new users get.</summary>
    /// <param name="realm">Where.</param>
    /// <param name="experiment">Its key.</param>
    /// <param name="winner">Null to stop it only: new users get `control` then.</param>
    /// <param name="by">The operator or program that asks for it, for the audit log.</param>
    /// <param name="now">When.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <returns>The version that it changed; null where nothing changed.</returns>
    public async Task<int?> DecideAsync(
        string realm, string experiment, string? winner, string by, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<int?>(new CommandDefinition(
            DecideSql, new { Realm = realm, Experiment = experiment, Winner = winner, By = by, Now = now },
            cancellationToken: cancellationToken));
    }
}

/// <summary>A version of an experiment that began.</summary>
/// <param name="Definition">What it compares, see <see cref="ExperimentTerms.Definition"/>.</param>
/// <param name="StoppedAt">Since when it takes no more users; null while it does.</param>
/// <param name="Winner">The arm that all new users get; null where none was chosen.</param>
internal sealed record BegunExperiment(
    string Realm, string Experiment, int Version, string Definition, DateTimeOffset StartedAt, DateTimeOffset? StoppedAt, string? Winner);
