using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Storage.Replicas;

/// <summary>
/// The replicas that run. One that was not seen for a minute is not live, and its row is deleted after a day. All times are the
/// database's, so that replicas with different clocks agree.
/// </summary>
internal sealed class ReplicaStore(NpgsqlDataSource dataSource)
{
    private const string SeenSql =
        """
        with forgotten as (
            delete from replicas where last_seen < clock_timestamp() - interval '1 day' and id <> @Id)
        insert into replicas (id, version, last_migration, settings, started_at, last_seen)
        values (@Id, @Version, @LastMigration, @Settings, clock_timestamp(), clock_timestamp())
        on conflict (id) do update set last_seen = excluded.last_seen, settings = excluded.settings
        """;

    private const string RemoveSql = "delete from replicas where id = @Id";

    private const string ExistsSql = "select to_regclass('replicas') is not null";

    private const string LockSql = "select credit_lock_replicas()";

    // A migrator reads the rows before the migration that adds the column.
    private const string LiveSql =
        """
        select id, version, last_migration, to_jsonb(replicas) ->> 'settings' as settings, started_at, last_seen
        from replicas
        where last_seen >= clock_timestamp() - interval '1 minute'
        order by started_at, id
        """;

    /// <summary>Records that the replica runs.</summary>
    /// <param name="id">The replica.</param>
    /// <param name="version">Of its program.</param>
    /// <param name="lastMigration">The number of the last migration that its program has.</param>
    /// <param name="settings">The hash of its settings.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public async Task SeenAsync(string id, string version, int lastMigration, string settings, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            SeenSql, new { Id = id, Version = version, LastMigration = lastMigration, Settings = settings },
            cancellationToken: cancellationToken));
    }

    /// <summary>Records that the replica has stopped.</summary>
    public async Task RemoveAsync(string id, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(RemoveSql, new { Id = id }, cancellationToken: cancellationToken));
    }

    /// <summary>The live replicas, the oldest first.</summary>
    public async Task<IReadOnlyList<Replica>> LiveAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await LiveAsync(connection, cancellationToken);
    }

    /// <summary>
    /// The live replicas whose program lacks a migration: what needs it, a later migration or a feature that came with it, is refused
    /// while there are any. No replica shows itself until the connection's transaction ends.
    /// </summary>
    public static async Task<IReadOnlyList<Replica>> LockLackingAsync(
        NpgsqlConnection connection, int migration, CancellationToken cancellationToken)
    {
        if (!await connection.ExecuteScalarAsync<bool>(new CommandDefinition(ExistsSql, cancellationToken: cancellationToken)))
            return [];
        await connection.ExecuteAsync(new CommandDefinition(LockSql, cancellationToken: cancellationToken));
        return [.. (await LiveAsync(connection, cancellationToken)).Where(replica => replica.LastMigration < migration)];
    }

    private static async Task<IReadOnlyList<Replica>> LiveAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        [.. await connection.QueryAsync<Replica>(new CommandDefinition(LiveSql, cancellationToken: cancellationToken))];
}

/// <summary>A process that runs the service.</summary>
/// <param name="Id">The machine, the process and a random part.</param>
/// <param name="Version">Of its program.</param>
/// <param name="LastMigration">The number of the last migration that its program has.</param>
/// <param name="Settings">The hash of its settings; null where its program records none.</param>
/// <param name="LastSeen">When it last recorded that it runs.</param>
internal sealed record Replica(
    string Id, string Version, int LastMigration, string? Settings, DateTimeOffset StartedAt, DateTimeOffset LastSeen);
