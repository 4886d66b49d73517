using System.Globalization;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Postgres;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>An emulated Keycloak with users without events, and the tables in which a real one would keep them.</summary>
internal sealed class LargeRealmFixture : IAsyncDisposable
{
    public const string Name = "demo";
    public const string Secret = "a-secret-of-the-benchmark";

    // The columns that Keycloak 26.7 has and the bridge reads.
    private const string SchemaSql =
        """
        create table realm (id varchar(36) primary key, name varchar(255) unique);
        create table user_entity (
            id varchar(36) primary key, email varchar(255), email_verified boolean not null default false,
                enabled boolean not null default false,
            federation_link varchar(255), realm_id varchar(255), username varchar(255), created_timestamp bigint,
            service_account_client_link varchar(255));
        insert into realm values ('realm-id', 'demo');
        do $$
        begin
            if not exists (select from pg_roles where rolname = 'crowd_reader') then
                create role crowd_reader login password 'x';
            end if;
        end
        $$;
        grant select on realm, user_entity to crowd_reader;
        """;

    private static int _count;

    private readonly PrivatePostgres _server;
    private readonly string _tables;
    private readonly EmulatedKeycloak _keycloak;

    private LargeRealmFixture(PrivatePostgres server, string tables, EmulatedKeycloak keycloak, IReadOnlyList<string> ids) =>
        (_server, _tables, _keycloak, Ids) = (server, tables, keycloak, ids);

    public IReadOnlyList<string> Ids { get; }

    /// <summary>From now on Keycloak answers nothing about a user.</summary>
    public void Hang() => _keycloak.Faults.Hang("/admin/realms/*/users/*", int.MaxValue);

    public static async Task<LargeRealmFixture> StartAsync(PrivatePostgres server, int users)
    {
        var tables = $"crowd_{Interlocked.Increment(ref _count)}";
        var connectionString = await server.CreateDatabaseAsync(tables, CancellationToken.None);
        var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(SendsWebhooks: false), CancellationToken.None);
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync(Name, DemoRealm.Json(Secret, webhooks: false), CancellationToken.None);
        // One every millisecond until now.
        var first = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - users;
        EmulatedUser[] added = [.. Enumerable.Range(0, users).Select(number => new EmulatedUser(
            EmulatedUser.NewId(), string.Create(CultureInfo.InvariantCulture, $"user{number:D7}")) { CreatedTimestamp = first + number })];
        var realm = keycloak.Realm(Name);
        foreach (var user in added)
            realm.AddUser(user);
        await FillAsync(connectionString, added);
        return new LargeRealmFixture(server, tables, keycloak, [.. added.Select(user => user.Id)]);
    }

    /// <summary>What a bridge needs that writes to this database.</summary>
    /// <param name="database">Where the accounts are to stand.</param>
    /// <param name="readsTables">Whether users are read from the tables, many with a question; otherwise each is asked for by HTTP.</param>
    public Dictionary<string, string?> Settings(BenchmarkDatabase database, bool readsTables)
    {
        var settings = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Storage:ConnectionString"] = database.ConnectionString,
            ["Keycloak:Url"] = _keycloak.Url.ToString(),
            ["Keycloak:ClientSecret"] = Secret,
            ["Keycloak:Realms:0:Name"] = Name,
            ["Keycloak:Realms:0:WebhookSecrets:0"] = Secret,
            ["Reconciliation:Enabled"] = "false",
            ["Serilog:MinimumLevel:Default"] = "Fatal",
            ["Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime"] = "Fatal",
        };
        if (readsTables)
        {
            settings["Keycloak:Database:ConnectionString"] =
                new NpgsqlConnectionStringBuilder(
                    _server.ConnectionString(_tables)) { Username = "crowd_reader", Password = "x" }.ConnectionString;
        }

        return settings;
    }

    public async ValueTask DisposeAsync()
    {
        await _keycloak.DisposeAsync();
        await _server.DropDatabaseAsync(_tables, CancellationToken.None);
    }

    private static async Task FillAsync(string connectionString, EmulatedUser[] added)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using (var schema = new NpgsqlCommand(SchemaSql, connection))
            await schema.ExecuteNonQueryAsync();
        await using (var writer = await connection.BeginBinaryImportAsync(
            "copy user_entity (id, enabled, realm_id, username, created_timestamp) from stdin (format binary)"))
        {
            foreach (var user in added)
                Write(writer, user);
            await writer.CompleteAsync();
        }

        await using var analyze = new NpgsqlCommand("vacuum analyze user_entity", connection);
        await analyze.ExecuteNonQueryAsync();
    }

    private static void Write(NpgsqlBinaryImporter writer, EmulatedUser user)
    {
        writer.StartRow();
        writer.Write(user.Id, NpgsqlDbType.Varchar);
        writer.Write(user.Enabled, NpgsqlDbType.Boolean);
        writer.Write("realm-id", NpgsqlDbType.Varchar);
        writer.Write(user.Username, NpgsqlDbType.Varchar);
        writer.Write(user.CreatedTimestamp!.Value, NpgsqlDbType.Bigint);
    }
}
