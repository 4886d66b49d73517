using System.Data;
using Dapper;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Scale;

/// <summary>A real Keycloak on PostgreSQL whose realm has many users, written into its tables, and the bridge beside it.</summary>
internal sealed class ScaleFixture : IAsyncDisposable
{
    public const string Realm = "demo";
    private const string Secret = "a-secret-of-the-benchmark";

    // As if they had been created one after the other over three years.
    private const string FillSql =
        """
        insert into user_entity (id, email, email_constraint, email_verified, enabled, realm_id, username, created_timestamp, not_before)
        select u.id, u.id || '@example.com', u.id || '@example.com', true, true, r.id, 'user-' || u.number,
            1700000000000 + u.number * (94608000000 / @Users), 0
        from realm r, (select gen_random_uuid()::text as id, number from generate_series(1, @Users) number) u
        where r.name = 'demo'
        """;

    private const string UserIdsSql =
        """
        select u.id from user_entity u join realm r on r.id = u.realm_id
        where r.name = 'demo' and u.service_account_client_link is null and u.username like 'user-%'
        """;

    private readonly RealKeycloak _keycloak;
    private readonly KeycloakAdmin _admin;
    private readonly WebApplication _bridge;

    private ScaleFixture(RealKeycloak keycloak, NpgsqlDataSource source, BenchmarkDatabase database)
    {
        (_keycloak, Source, Database, _admin) = (keycloak, source, database, KeycloakAdmin.Of(keycloak));
        _bridge = Program.Compose(
            [.. Settings.Select(setting => $"--{setting.Key}={setting.Value}"), "--Serilog:MinimumLevel:Default=Error"]).Build();
    }

    public Uri Url => _keycloak.Url;

    /// <summary>Keycloak's own database.</summary>
    public NpgsqlDataSource Source { get; }

    public BenchmarkDatabase Database { get; }

    public Dictionary<string, string> Settings => new(StringComparer.Ordinal)
    {
        ["Storage:ConnectionString"] = Database.ConnectionString,
        ["Keycloak:Url"] = _keycloak.Url.ToString(),
        ["Keycloak:ClientId"] = DemoRealm.ClientId,
        ["Keycloak:ClientSecret"] = Secret,
        ["Keycloak:Realms:0:Name"] = Realm,
        ["Keycloak:Database:ConnectionString"] =
            new NpgsqlConnectionStringBuilder(Source.ConnectionString) { Username = "credit_reader", Password = "x" }.ConnectionString,
    };

    /// <summary>Starts all of it; null where there is no real Keycloak 26.7.</summary>
    public static async Task<ScaleFixture?> StartAsync(PrivatePostgres server, int users)
    {
        var distribution = KeycloakDistribution.FindAll().FirstOrDefault(found => found.Version >= new Version(26, 7));
        if (distribution is null)
            return null;
        var connectionString = await server.CreateDatabaseAsync("keycloak", CancellationToken.None);
        var address = new NpgsqlConnectionStringBuilder(connectionString);
        var keycloak = await RealKeycloak.StartAsync(
            distribution with { Database = "postgres" }, CacheFolder.Of("keycloak"), Console.Error.WriteLine, CancellationToken.None,
            new Dictionary<string, string>
            {
                ["KC_DB_URL"] = $"jdbc:postgresql://{address.Host}:{address.Port}/{address.Database}",
                ["KC_DB_USERNAME"] = address.Username!,
                ["KC_DB_PASSWORD"] = address.Password!,
            });
        // Nothing that is read here takes as long as filling does.
        var fixture = new ScaleFixture(
            keycloak, NpgsqlDataSource.Create(connectionString + ";Command Timeout=600;Persist Security Info=true"),
            await BenchmarkDatabase.CreateAsync(server));
        await fixture._admin.ImportRealmAsync(Realm, DemoRealm.Json(Secret, webhooks: false), CancellationToken.None);
        await Console.Error.WriteLineAsync($"Writing {users:N0} users into Keycloak's tables.");
        await fixture.ExecuteAsync(FillSql, new { Users = (long)users });
        await fixture.ExecuteAsync("vacuum analyze user_entity");
        await fixture.ExecuteAsync(
            "create role credit_reader login password 'x'; grant select on realm, user_entity to credit_reader; grant select (realm_id, " +
            "provider_type) on component to credit_reader");
        return fixture;
    }

    public async Task ExecuteAsync(string sql, object? parameters = null)
    {
        await using var connection = await Source.OpenConnectionAsync();
        await connection.ExecuteAsync(sql, parameters, commandType: CommandType.Text);
    }

    /// <summary>The ids of its users.</summary>
    public async Task<IReadOnlyList<string>> UserIdsAsync()
    {
        await using var connection = await Source.OpenConnectionAsync();
        return [.. await connection.QueryAsync<string>(UserIdsSql)];
    }

    /// <summary>Runs in this process to its end.</summary>
    public async Task<ReconcileOutcome> RunAsync(ReconcileMode mode)
    {
        var outcome = await _bridge.Services.GetRequiredService<Reconciler>().RunAsync(
            new RunRequest(Realm, RunTriggers.Command, Mode: mode), new Progress<ReconcileProgress>(), CancellationToken.None);
        return outcome.Status == ReconcileStatus.Done ? outcome : throw new InvalidOperationException($"{mode}: {outcome.Reason}");
    }

    /// <summary>A token of the bridge's client.</summary>
    public async Task<string> TokenAsync()
    {
        using var http = new HttpClient();
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials", ["client_id"] = DemoRealm.ClientId, ["client_secret"] = Secret,
        });
        using var answer = await http.PostAsync(new Uri(Url, $"realms/{Realm}/protocol/openid-connect/token"), form);
        return (string)System.Text.Json.Nodes.JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["access_token"]!;
    }

    public async ValueTask DisposeAsync()
    {
        await _bridge.DisposeAsync();
        _admin.Dispose();
        await _keycloak.DisposeAsync();
        await Source.DisposeAsync();
        await Database.DisposeAsync();
    }
}
