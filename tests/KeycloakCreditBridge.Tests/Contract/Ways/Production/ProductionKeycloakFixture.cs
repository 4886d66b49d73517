using Dapper;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

[assembly: AssemblyFixture(typeof(KeycloakCreditBridge.Tests.Contract.Ways.Production.ProductionKeycloakFixture))]

namespace KeycloakCreditBridge.Tests.Contract.Ways.Production;

/// <summary>One real Keycloak on PostgreSQL, as in production, with the SCIM preview, for what is done behind its back.</summary>
public sealed class ProductionKeycloakFixture : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private PrivatePostgres? _postgres;
    private Task<RealKeycloak>? _keycloak;
    private NpgsqlDataSource? _database;

    /// <summary>Keycloak's own tables.</summary>
    internal NpgsqlDataSource Database => _database ?? throw new InvalidOperationException("The server is not started.");

    /// <summary>Their address for a role that may do everything there.</summary>
    internal string Address => _postgres!.ConnectionString("keycloak");

    /// <summary>Connects to its tables as a role that may read what the bridge reads and nothing else.</summary>
    internal async Task<string> CreateReaderAsync()
    {
        var role = $"reader_{Guid.NewGuid():n}";
        await using var connection = await Database.OpenConnectionAsync(CancellationToken.None);
        await connection.ExecuteAsync(
            $"create role {role} login password 'x'; grant select on realm, user_entity to {role}; "
            + $"grant select (realm_id, provider_type) on component to {role}");
        return new NpgsqlConnectionStringBuilder(
            _postgres!.ConnectionString("keycloak")) { Username = role, Password = "x" }.ConnectionString;
    }

    /// <summary>The server, started if need be; skips the test when this machine cannot run it.</summary>
    internal async Task<IKeycloakServer> GetAsync()
    {
        var distribution = KeycloakDistribution.FindAll().FirstOrDefault(found => found.Version >= new Version(26, 7));
        Assert.SkipUnless(distribution is not null, "Needs a real Keycloak 26.7: set KEYCLOAK_DISTRIBUTIONS.");
        lock (_gate)
            _keycloak ??= StartAsync(distribution!);
        return await _keycloak;
    }

    public async ValueTask DisposeAsync()
    {
        if (_keycloak is not null)
        {
            await ((Task)_keycloak).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_keycloak.IsCompletedSuccessfully)
                await (await _keycloak).DisposeAsync();
        }

        if (_database is not null)
            await _database.DisposeAsync();
        if (_postgres is not null)
            await _postgres.DisposeAsync();
    }

    private async Task<RealKeycloak> StartAsync(KeycloakDistribution distribution)
    {
        _postgres = await PostgresFixture.StartOwnAsync(durable: false);
        _database = NpgsqlDataSource.Create(await _postgres.CreateDatabaseAsync("keycloak", CancellationToken.None));
        var address = new NpgsqlConnectionStringBuilder(Address);
        return await RealKeycloak.StartAsync(
            distribution with { Database = "postgres", Features = "scim-api" }, CacheFolder.Of("keycloak"), null, CancellationToken.None,
            new Dictionary<string, string>(KeycloakFixture.CheapPasswords)
            {
                ["KC_DB_URL"] = $"jdbc:postgresql://{address.Host}:{address.Port}/{address.Database}",
                ["KC_DB_USERNAME"] = address.Username!,
                ["KC_DB_PASSWORD"] = address.Password!,
            });
    }
}
