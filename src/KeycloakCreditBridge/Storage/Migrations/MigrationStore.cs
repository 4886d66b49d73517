using Dapper;
using KeycloakCreditBridge.Storage.Replicas;
using Npgsql;

namespace KeycloakCreditBridge.Storage.Migrations;

/// <summary>The table of applied migrations, and the lock that lets one migrator in.</summary>
internal sealed class MigrationStore(NpgsqlConnection connection)
{
    private const string LockSql = "select pg_advisory_lock(hashtext('keycloak-credit-bridge migrations'))";

    private const string UnlockSql = "select pg_advisory_unlock(hashtext('keycloak-credit-bridge migrations'))";

    private const string ExistsSql = "select to_regclass('schema_migrations') is not null";

    private const string IsReadySql =
        """
        select exists (
            select from pg_attribute
            where attrelid = to_regclass('schema_migrations') and attname = 'requires' and not attisdropped)
        """;

    private const string CreateSql =
        """
        create table if not exists schema_migrations (
            version integer primary key, name text not null, checksum text not null, applied_at timestamptz not null);
        alter table schema_migrations add column if not exists requires integer
        """;

    // A table from before the rule has no such column. A row that does not say what it requires requires itself.
    private const string AppliedSql =
        """
        select version, name, checksum, coalesce((to_jsonb(m) ->> 'requires')::integer, version) as requires
        from schema_migrations m
        order by version
        """;

    private const string RecordSql =
        """
        insert into schema_migrations (version, name, checksum, applied_at, requires)
        values (@Version, @Name, @Checksum, @Now, @Requires)
        """;

    // Making a schema needs a privilege on the whole database, also where the schema is there already. Beside accounts in another schema
    // than public it is not used.
    private const string NeedsQuartzSchemaSql =
        "select current_schema() = 'public' and not exists (select from pg_namespace where nspname = 'quartz')";

    private const int QuartzSchemaVersion = 4;

    public Task LockAsync(CancellationToken cancellationToken) =>
        connection.ExecuteAsync(new CommandDefinition(LockSql, commandTimeout: 0, cancellationToken: cancellationToken));

    public Task UnlockAsync() => connection.ExecuteAsync(UnlockSql);

    public async Task<IReadOnlyList<AppliedMigration>> AppliedAsync(CancellationToken cancellationToken)
    {
        if (!await connection.ExecuteScalarAsync<bool>(new CommandDefinition(ExistsSql, cancellationToken: cancellationToken)))
            return [];
        var rows = await connection.QueryAsync<AppliedMigration>(new CommandDefinition(AppliedSql, cancellationToken: cancellationToken));
        return [.. rows];
    }

    /// <summary>
    /// Makes the table ready for rows. Charging reads it, so no migration may hold the lock that changing it takes, not even where it
    /// changes nothing.
    /// </summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (!await connection.ExecuteScalarAsync<bool>(new CommandDefinition(IsReadySql, cancellationToken: cancellationToken)))
            await connection.ExecuteAsync(new CommandDefinition(CreateSql, commandTimeout: 0, cancellationToken: cancellationToken));
    }

    /// <exception cref="OlderReplicasException">Live replicas cannot work on the schema after this migration.</exception>
    public async Task ApplyAsync(Migration migration, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (migration.Requires > 0)
            await RefuseWhileLackingAsync(migration, cancellationToken);
        if (migration.Version != QuartzSchemaVersion || await connection.ExecuteScalarAsync<bool>(new CommandDefinition(
            NeedsQuartzSchemaSql, transaction: transaction, cancellationToken: cancellationToken)))
            await ExecuteAsync(migration.Sql, null);
        await ExecuteAsync(
            RecordSql, new { migration.Version, migration.Name, migration.Checksum, Now = now, migration.Requires });
        await transaction.CommitAsync(cancellationToken);

        // Indexes on an existing ledger may take long: a migration has no time limit.
        Task ExecuteAsync(string sql, object? parameters) => connection.ExecuteAsync(
            new CommandDefinition(sql, parameters, transaction, commandTimeout: 0, cancellationToken: cancellationToken));
    }

    private async Task RefuseWhileLackingAsync(Migration migration, CancellationToken cancellationToken)
    {
        var lacking = await ReplicaStore.LockLackingAsync(connection, migration.Requires, cancellationToken);
        if (lacking.Count == 0)
            return;
        var names = string.Join(", ", lacking.Select(replica => $"{replica.Id} (version {replica.Version})"));
        throw new OlderReplicasException(
            $"Migration {migration.Name} needs replicas that have migration {migration.Requires:0000}. Stop these first: {names}.");
    }
}

/// <summary>The migration is due once older replicas have stopped.</summary>
internal sealed class OlderReplicasException(string message) : Exception(message);
