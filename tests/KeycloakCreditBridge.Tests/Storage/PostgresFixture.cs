using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Tests.Running;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

[assembly: AssemblyFixture(typeof(KeycloakCreditBridge.Tests.Storage.PostgresFixture))]

namespace KeycloakCreditBridge.Tests.Storage;

/// <summary>One real PostgreSQL for all tests, and in it a migrated database that every test gets a copy of.</summary>
public sealed class PostgresFixture : IAsyncDisposable
{
    // Twice as many tests at once as there are cores, each with up to three processes and a pool of 40 in each.
    private const int MostConnections = 800;

    private const string Template = "migrated";
    private const string Memory = "/dev/shm";
    private const long NeededMemory = 2L << 30;

    // A database of a few megabytes is hundreds of files, which a disk takes ten times as long for as memory does.
    private static readonly string Folder =
        Directory.Exists(Memory) && new DriveInfo(Memory).AvailableFreeSpace > NeededMemory ? Memory : Path.GetTempPath();

    // Started by the first test that needs it, so that a run of the others does without PostgreSQL.
    private readonly Lazy<Task<PrivatePostgres>> _server = new(StartAsync);
    private int _databases;

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated)
            await (await _server.Value).DisposeAsync();
    }

    /// <summary>A migrated database of the test's own.</summary>
    internal Task<TestDatabase> CreateDatabaseAsync() => CreateAsync(Template);

    /// <summary>A database without any table.</summary>
    internal Task<TestDatabase> CreateEmptyDatabaseAsync() => CreateAsync(null);

    /// <summary>A copy of a database that is not in use.</summary>
    internal Task<TestDatabase> CopyDatabaseAsync(TestDatabase original)
    {
        original.DataSource.Clear();
        return CreateAsync(original.Name);
    }

    /// <summary>A server of the test's own, to be stopped and killed.</summary>
    internal static Task<PrivatePostgres> StartOwnAsync(bool durable = true)
    {
        TestNeeds.Demand(TestNeeds.PostgreSql);
        return PrivatePostgres.StartAsync(new PrivatePostgresOptions(Folder, durable, MostConnections), CancellationToken.None);
    }

    private static async Task<PrivatePostgres> StartAsync()
    {
        var server = await StartOwnAsync(durable: false);
        var connectionString = await server.CreateDatabaseAsync(Template, CancellationToken.None);
        // Not pooled: a database with sessions cannot be copied.
        await using var dataSource = NpgsqlDataSource.Create(connectionString + ";Pooling=false");
        await new Migrator(dataSource, TimeProvider.System, NullLogger<Migrator>.Instance).MigrateAsync(CancellationToken.None);
        return server;
    }

    private async Task<TestDatabase> CreateAsync(string? template)
    {
        var name = $"test_{Interlocked.Increment(ref _databases)}";
        TestNeeds.Demand(TestNeeds.PostgreSql);
        var server = await _server.Value;
        var connectionString = await server.CreateDatabaseAsync(name, CancellationToken.None, template);
        return new TestDatabase(connectionString, () => server.DropDatabaseAsync(name, CancellationToken.None));
    }
}
