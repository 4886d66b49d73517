using System.Data;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace KeycloakCreditBridge.Storage;

/// <summary>Brings the schema up to date: embedded migrations in order, each in its own transaction, one migrator at a time.</summary>
/// <exception cref="MigrationException">An applied migration differs from the embedded one, or the database is newer than the
/// program.</exception>
internal sealed partial class Migrator(NpgsqlDataSource dataSource, TimeProvider clock, ILogger<Migrator> logger)
{
    private const string ResourcePrefix = "KeycloakCreditBridge.Storage.Migrations.";

    /// <summary>Applies what is missing and returns how many migrations that were.</summary>
    public async Task<int> MigrateAsync(CancellationToken cancellationToken)
    {
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

    /// <summary>Whether the database has every migration of this program.</summary>
    public async Task<bool> IsCurrentAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var applied = await new MigrationStore(connection).AppliedAsync(cancellationToken);
        return Missing(applied).Count == 0;
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
        foreach (var migration in missing)
        {
            await store.ApplyAsync(migration, clock.GetUtcNow(), cancellationToken);
            LogApplied(migration.Name);
        }

        return missing.Count;
    }

    private static List<Migration> Missing(IReadOnlyList<AppliedMigration> applied)
    {
        var embedded = Embedded();
        var known = embedded.ToDictionary(migration => migration.Version);
        foreach (var row in applied)
        {
            if (!known.TryGetValue(row.Version, out var migration))
                throw new MigrationException(
                    $"The database has migration {row.Name}, which this program does not know: run a newer program.");
            if (migration.Checksum != row.Checksum)
            {
                throw new MigrationException(
                    $"Migration {row.Name} was applied with other content than this program has: "
                    + "run the program that applied it, or a newer one.");
            }
        }

        var done = applied.Select(row => row.Version).ToHashSet();
        return [.. embedded.Where(migration => !done.Contains(migration.Version))];
    }

    private static List<Migration> Embedded() =>
        [.. typeof(Migrator).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(ResourcePrefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(Read)];

    private static Migration Read(string resource)
    {
        using var reader = new StreamReader(typeof(Migrator).Assembly.GetManifestResourceStream(resource)!);
        var sql = reader.ReadToEnd().ReplaceLineEndings("\n");
        var name = resource[ResourcePrefix.Length..^".sql".Length];
        var version = int.Parse(name[..4], System.Globalization.CultureInfo.InvariantCulture);
        return new Migration(version, name, sql, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sql))));
    }

    [LoggerMessage(EventId = 711, Level = LogLevel.Warning, Message = "{What}.")]
    private partial void LogReplaced(string what);

    [LoggerMessage(EventId = 710, Level = LogLevel.Information, Message = "Applied migration {Migration}.")]
    private partial void LogApplied(string migration);
}

internal sealed record Migration(int Version, string Name, string Sql, string Checksum);

internal sealed record AppliedMigration(int Version, string Name, string Checksum);

/// <summary>The schema cannot be brought to what this program needs.</summary>
internal sealed class MigrationException(string message) : Exception(message);
