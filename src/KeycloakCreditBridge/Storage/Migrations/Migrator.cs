using System.Data;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Storage.Migrations;

/// <summary>Brings the schema up to date: embedded migrations in order, each in its own transaction, one migrator at a time.</summary>
/// <exception cref="MigrationException">An applied migration differs from the embedded one, or needs a newer program.</exception>
/// <exception cref="OlderReplicasException">Replicas must stop first.</exception>
internal sealed partial class Migrator(NpgsqlDataSource dataSource, TimeProvider clock, ILogger<Migrator> logger)
{
    private bool _saidLater;

    /// <summary>The migrations that this program has, in their order.</summary>
    public IReadOnlyList<Migration> Known { get; init; } = Migration.Embedded;

    /// <summary>Applies what is missing and returns how many migrations that were.</summary>
    public async Task<int> MigrateAsync(CancellationToken cancellationToken)
    {
        await CheckSessionsAsync(cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var store = new MigrationStore(connection);
        await store.LockAsync(cancellationToken);
        connection.Notice += OnNotice;
        try
        {
            return await ApplyMissingAsync(store, cancellationToken);
        }
        finally
        {
            connection.Notice -= OnNotice;
            // A connection that broke has lost the lock, and must not hide what broke it.
            if (connection.State == ConnectionState.Open)
                await store.UnlockAsync();
        }
    }

    /// <summary>Whether the database has every migration of this program, and lends it sessions that it can work with.</summary>
    public async Task<bool> IsCurrentAsync(CancellationToken cancellationToken)
    {
        await CheckSessionsAsync(cancellationToken);
        return await HasMigrationsAsync(cancellationToken);
    }

    /// <summary>Whether the database has every migration of this program.</summary>
    public async Task<bool> HasMigrationsAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var applied = await new MigrationStore(connection).AppliedAsync(cancellationToken);
        return Missing(applied).Count == 0;
    }

    private async Task CheckSessionsAsync(CancellationToken cancellationToken)
    {
        if (await SessionStore.ProblemAsync(dataSource, cancellationToken) is { } problem)
            throw new MigrationException(problem);
    }

    // Migrations report at this level what they change in existing tables. PostgreSQL itself reports nothing at it.
    private void OnNotice(object sender, NpgsqlNoticeEventArgs raised)
    {
        if (raised.Notice.InvariantSeverity == "INFO")
            LogReplaced(raised.Notice.MessageText);
    }

    private async Task<int> ApplyMissingAsync(MigrationStore store, CancellationToken cancellationToken)
    {
        var missing = Missing(await store.AppliedAsync(cancellationToken));
        if (missing.Count > 0)
            await store.PrepareAsync(cancellationToken);
        foreach (var migration in missing)
        {
            await store.ApplyAsync(migration, clock.GetUtcNow(), cancellationToken);
            LogApplied(migration.Name);
        }

        return missing.Count;
    }

    private List<Migration> Missing(IReadOnlyList<AppliedMigration> applied)
    {
        var known = Known.ToDictionary(migration => migration.Version);
        List<AppliedMigration> later = [];
        foreach (var row in applied)
        {
            if (!known.TryGetValue(row.Version, out var migration))
                later.Add(Accepted(row));
            else if (migration.Checksum != row.Checksum)
            {
                throw new MigrationException(
                    $"Migration {row.Name} was applied with other content than this program has: "
                    + "run the program that applied it, or a newer one.");
            }
        }

        if (later.Count > 0 && !Interlocked.Exchange(ref _saidLater, true))
        {
            var names = string.Join(", ", later.Select(row => row.Name));
            LogLater(names);
        }

        var done = applied.Select(row => row.Version).ToHashSet();
        return [.. Known.Where(migration => !done.Contains(migration.Version))];
    }

    private AppliedMigration Accepted(AppliedMigration row)
    {
        var last = Known[^1].Version;
        return row.Requires <= last
            ? row
            : throw new MigrationException(
                $"The database has migration {row.Name}, which needs a program that has migration {row.Requires:0000}. "
                + $"The last one of this program is {last:0000}: run a newer program.");
    }

    [LoggerMessage(EventId = 711, Level = LogLevel.Warning, Message = "{What}.")]
    private partial void LogReplaced(string what);

    [LoggerMessage(EventId = 712, Level = LogLevel.Information,
        Message = "The database has migrations of a newer program, which this one can work with: {Migrations}.")]
    private partial void LogLater(string migrations);

    [LoggerMessage(EventId = 710, Level = LogLevel.Information, Message = "Applied migration {Migration}.")]
    private partial void LogApplied(string migration);
}

/// <summary>The schema cannot be brought to what this program needs.</summary>
internal sealed class MigrationException(string message) : Exception(message);
