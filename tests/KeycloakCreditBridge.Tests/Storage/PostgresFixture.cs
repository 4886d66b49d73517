using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

[assembly: AssemblyFixture(typeof(KeycloakCreditBridge.Tests.Storage.PostgresFixture))]

namespace KeycloakCreditBridge.Tests.Storage;

/// <summary>One real PostgreSQL for all tests, and in it a migrated database that every test gets a copy of.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private const string Template = "migrated";
    private const string Memory = "/dev/shm";
    private const long NeededMemory = 2L << 30;

    // A database of a few megabytes is hundreds of files, which a disk takes ten times as long for as memory does.
    private static readonly string Folder =
        Directory.Exists(Memory) && new DriveInfo(Memory).AvailableFreeSpace > NeededMemory ? Memory : Path.GetTempPath();

    private PrivatePostgres? _server;
    private int _databases;

    private PrivatePostgres Server => _server ?? throw new InvalidOperationException("The fixture has not started.");

    public async ValueTask InitializeAsync()
    {
        _server = await StartOwnAsync(durable: false);
        var connectionString = await _server.CreateDatabaseAsync(Template, CancellationToken.None);
        // Not pooled: a database with sessions cannot be copied.
        await using var dataSource = NpgsqlDataSource.Create(connectionString + ";Pooling=false");
        await new Migrator(dataSource, TimeProvider.System, NullLogger<Migrator>.Instance).MigrateAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
    }

    /// <summary>A migrated database of the test's own.</summary>
    internal Task<TestDatabase> CreateDatabaseAsync() => CreateAsync(Template);

    /// <summary>A database without any table.</summary>
    internal Task<TestDatabase> CreateEmptyDatabaseAsync() => CreateAsync(null);

    /// <summary>A copy of a database that nobody uses meanwhile.</summary>
    internal Task<TestDatabase> CopyDatabaseAsync(TestDatabase original)
    {
        original.DataSource.Clear();
        return CreateAsync(original.Name);
    }

    /// <summary>A server of the test's own, to be stopped and killed.</summary>
    internal static Task<PrivatePostgres> StartOwnAsync(bool durable = true) =>
        PrivatePostgres.StartAsync(new PrivatePostgresOptions(Folder, durable), CancellationToken.None);

    private async Task<TestDatabase> CreateAsync(string? template)
    {
        var name = $"test_{Interlocked.Increment(ref _databases)}";
        var connectionString = await Server.CreateDatabaseAsync(name, CancellationToken.None, template);
        return new TestDatabase(connectionString, () => Server.DropDatabaseAsync(name, CancellationToken.None));
    }
}
