using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;

/// <summary>The tables of Keycloak's that the bridge reads, with what an emulated server has, and a role that may read them.</summary>
internal sealed class KeycloakTables(TestDatabase database) : IAsyncDisposable
{
    /// <summary>The columns that Keycloak 26.7 has and the bridge reads.</summary>
    public const string Schema =
        """
        create table realm (id varchar(36) primary key, name varchar(255) unique);
        create table user_entity (
            id varchar(36) primary key, email varchar(255), email_verified boolean not null default false,
                enabled boolean not null default false,
            federation_link varchar(255), realm_id varchar(255), username varchar(255), created_timestamp bigint,
            service_account_client_link varchar(255));
        create table component (id varchar(36) primary key, realm_id varchar(36), provider_type varchar(255));
        """;

    private readonly string _role = $"reader_{Guid.NewGuid():n}";

    public (string Key, string? Value) Setting => ("Keycloak:Database:ConnectionString", ConnectionString);

    public string ConnectionString =>
        new NpgsqlConnectionStringBuilder(database.ConnectionString) { Username = _role, Password = "x", Options = null }.ConnectionString;

    public static async Task<KeycloakTables> CreateAsync(PostgresFixture postgres, string realm = EmulatorFixture.Realm)
    {
        var tables = new KeycloakTables(await postgres.CreateEmptyDatabaseAsync());
        await tables.ExecuteAsync(Schema);
        await tables.ExecuteAsync($"create role {tables._role} login password 'x'; grant select on realm, user_entity to {tables._role}");
        await tables.ExecuteAsync("insert into realm values ('realm-id', @realm)", new { realm });
        return tables;
    }

    public Task<int> ExecuteAsync(string sql, object? parameters = null) => database.ExecuteAsync(sql, parameters);

    public Task GrantAsync(string privilege, string table) => ExecuteAsync($"grant {privilege} on {table} to {_role}");

    /// <summary>Brings the tables to what the server has, service accounts of this prefix among them.</summary>
    public async Task CopyAsync(EmulatorFixture keycloak)
    {
        var admin = await keycloak.AdminTokenAsync();
        // A filter on a field shows service accounts too; the plain list leaves them out.
        var users = await ListAsync(keycloak, admin, "");
        var all = await ListAsync(keycloak, admin, "&enabled=true");
        await ExecuteAsync("truncate user_entity");
        await AddAsync(users, service: null);
        var ids = users.Select(user => (string)user["id"]!).ToHashSet(StringComparer.Ordinal);
        await AddAsync([.. all.Where(user => !ids.Contains((string)user["id"]!))], service: "client");
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await ExecuteAsync($"drop owned by {_role}; drop role {_role}");
        await database.DisposeAsync();
    }

    private static async Task<JsonNode[]> ListAsync(EmulatorFixture keycloak, string admin, string filter) =>
        [.. (await keycloak.ListAsync($"{EmulatorFixture.Users}?briefRepresentation=true&max=100000{filter}", admin)).Select(user => user!)
            .Where(user => !((string)user["id"]!).StartsWith("f:", StringComparison.Ordinal))];

    private Task<int> AddAsync(JsonNode[] users, string? service) => ExecuteAsync(
        """
        insert into user_entity (id, username, email, email_verified, enabled, created_timestamp, federation_link, realm_id,
            service_account_client_link)
        select u.*, 'realm-id', @Service
        from unnest(@Ids, @Usernames, @Emails, @Verified, @Enabled, @Created, @Links) as u
        """,
        new
        {
            Ids = Column(users, user => (string)user["id"]!),
            Usernames = Column(users, user => (string)user["username"]!),
            Emails = Column(users, user => (string?)user["email"]),
            Verified = Column(users, user => (bool?)user["emailVerified"] ?? false),
            Enabled = Column(users, user => (bool?)user["enabled"] ?? false),
            Created = Column(users, user => (long?)user["createdTimestamp"]),
            Links = Column(users, user => (string?)user["federationLink"]),
            Service = service,
        });

    private static T[] Column<T>(JsonNode[] users, Func<JsonNode, T> value) => [.. users.Select(value)];
}
