using System.Data;
using System.Diagnostics.Metrics;
using Dapper;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Accounts.Renames;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Migrations;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>A migrated database of one measurement, on the durable private server.</summary>
internal sealed class BenchmarkDatabase : IAsyncDisposable
{
    private static int _count;

    private readonly PrivatePostgres _server;

    private BenchmarkDatabase(PrivatePostgres server, string name, string connectionString)
    {
        (_server, Name) = (server, name);
        ConnectionString = new StorageOptions { ConnectionString = connectionString }.BuildConnectionString();
        DataSource = new StorageOptions { ConnectionString = connectionString }.BuildDataSource();
    }

    public string Name { get; }

    public string ConnectionString { get; }

    public NpgsqlDataSource DataSource { get; }

    public static async Task<BenchmarkDatabase> CreateAsync(PrivatePostgres server)
    {
        var name = $"bench_{Interlocked.Increment(ref _count)}";
        var database = new BenchmarkDatabase(server, name, await server.CreateDatabaseAsync(name, CancellationToken.None));
        await new Migrator(database.DataSource, TimeProvider.System, NullLogger<Migrator>.Instance).MigrateAsync(CancellationToken.None);
        // Pages that earlier measurements still have to write must not slow this one.
        await database.ExecuteAsync("checkpoint");
        return database;
    }

    /// <summary>What the bridge knows of ends.</summary>
    public GrantEnds NewEnds(GrantsOptions? grants = null)
    {
        var (options, clock) = (Options.Create(grants ?? new GrantsOptions()), new GrantClock());
        return new GrantEnds(options, clock, NewBooking(), new LotsInUse(DataSource, options));
    }

    /// <summary>What books out ended credits.</summary>
    public LotBooking NewBooking() =>
        new(DataSource, new GrantClock(), new GrantsMetrics(new Meter("benchmarks")), TimeProvider.System);

    /// <summary>The bridge's own writer of accounts, with default settings but for grants.</summary>
    public Provisioner NewProvisioner(GrantsOptions? grants = null, bool asksPlan = false)
    {
        var metrics = new ProvisioningMetrics(
            new Meter("benchmarks"), Options.Create(new KeycloakOptions()), Hot.Of(new ProvisioningOptions()));
        var planner = new GrantPlanner(
            new AccountFactsStore(DataSource),
            new PolicyActivation(new PolicyStore(DataSource), TimeProvider.System, NullLogger<PolicyActivation>.Instance),
            experiments: new ExperimentRuns(
                new ExperimentStore(DataSource), new FrozenExperiments(), TimeProvider.System, NullLogger<ExperimentRuns>.Instance));
        return new Provisioner(
            new AccountStore(DataSource, NewEnds(grants)), new RenameStore(DataSource), metrics, TimeProvider.System,
            NullLogger<Provisioner>.Instance, asksPlan ? planner : null);
    }

    /// <param name="hasNoTimeout">For what takes minutes, as the filling of tables.</param>
    public async Task ExecuteAsync(string sql, bool hasNoTimeout = false)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(sql, commandTimeout: hasNoTimeout ? 0 : null, commandType: CommandType.Text);
    }

    public async Task<T?> ScalarAsync<T>(string sql)
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<T>(sql);
    }

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await _server.DropDatabaseAsync(Name, CancellationToken.None);
    }
}
