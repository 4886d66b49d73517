using Dapper;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Doctor;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Contract.Ways.Production;
using KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Doctor;

/// <summary>What doctor says of Keycloak's own database.</summary>
public sealed class DoctorDatabaseTests(PostgresFixture postgres, ProductionKeycloakFixture keycloak)
{
    private const string Check = "Keycloak's database";
    private const string Setting = "Keycloak:Database:ConnectionString";

    private static readonly IReadOnlyDictionary<string, (string Says, Func<KeycloakTables, Task<string>> Plant)> Faults =
        new Dictionary<string, (string Says, Func<KeycloakTables, Task<string>> Plant)>(StringComparer.Ordinal)
        {
            ["it does not answer"] = (
                "check that it runs, and correct Keycloak:Database:ConnectionString",
                tables => Changed(tables, address => address.Port = FreePort.Next())),
            ["there is no such database"] = (
                "correct Keycloak:Database:ConnectionString", tables => Changed(tables, address => address.Database = "nowhere")),
            ["there is no such role"] = (
                "correct Keycloak:Database:ConnectionString", tables => Changed(tables, address => address.Username = "no_such_role")),
            ["its role may write"] = (
                "user_entity (update). Give a role that has select", tables => After(tables, tables.GrantAsync("update", "user_entity"))),
            ["its tables are not as known"] = (
                "user_entity.enabled. Grant select",
                tables => After(tables, tables.ExecuteAsync("alter table user_entity rename enabled to active"))),
            ["it does not have the realm"] = (
                "no realm 'demo': have Keycloak:Database:ConnectionString lead to",
                tables => After(tables, tables.ExecuteAsync("update realm set name = 'other'"))),
        };

    public static TheoryData<string> Names => [.. Faults.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_unusable_Keycloak_database_is_named_with_the_cure(string fault)
    {
        await using var tables = await KeycloakTables.CreateAsync(postgres);

        var finding = await CheckAsync(await Faults[fault].Plant(tables));

        Assert.Equal(Verdict.Fail, finding.Verdict);
        Assert.Contains(Faults[fault].Says, $"{finding.Message}: {finding.Cure}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_usable_Keycloak_database_passes_and_so_does_none()
    {
        await using var tables = await KeycloakTables.CreateAsync(postgres);

        var (used, none) = (await CheckAsync(tables.ConnectionString), await CheckAsync(connectionString: null));

        Assert.Equal((Verdict.Ok, "its role may read users and not write"), (used.Verdict, used.Message));
        Assert.Equal((Verdict.Ok, "not configured, so Keycloak's API is used"), (none.Verdict, none.Message));
    }

    [Fact]
    public async Task The_database_of_a_real_Keycloak_passes_for_a_reading_role_and_fails_for_its_owner()
    {
        await using var fixture = await ContractFixture.CreateAsync(await keycloak.GetAsync(), postgres);
        var settings = fixture.Settings.ToDictionary(pair => pair.Key, string? (pair) => pair.Value, StringComparer.Ordinal);
        var role = $"reader_{Guid.NewGuid():n}";
        await using (var connection = await keycloak.Database.OpenConnectionAsync(TestContext.Current.CancellationToken))
            await connection.ExecuteAsync($"create role {role} login password 'x'; grant select on realm, user_entity to {role}");

        settings[Setting] = new NpgsqlConnectionStringBuilder(keycloak.Address) { Username = role, Password = "x" }.ConnectionString;
        var reader = await CheckAsync(settings);
        settings[Setting] = keycloak.Address;
        var owner = await CheckAsync(settings);

        Assert.Equal((Verdict.Ok, Verdict.Fail), (reader.Verdict, owner.Verdict));
        Assert.Contains("Its role may write: user_entity", owner.Message, StringComparison.Ordinal);
    }

    /// <summary>What doctor finds where neither PostgreSQL nor Keycloak answers.</summary>
    private static async Task<Finding> CheckAsync(string? connectionString)
    {
        var unused = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        var settings = BridgeFixture.Settings($"Host=127.0.0.1;Port={unused.Port};Username=x;Database=y", unused);
        settings[Setting] = connectionString;
        return await CheckAsync(settings);
    }

    private static async Task<Finding> CheckAsync(Dictionary<string, string?> settings)
    {
        var builder = Program.Compose([]);
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddSingleton(LogTarget.Command);
        await using var app = builder.Build();
        List<CheckResult> found = [];
        await DoctorRun.RunAsync(app.Services, administrator: null, found.Add, TestContext.Current.CancellationToken);
        return Assert.Single(found, item => item.Check == Check).Finding;
    }

    private static Task<string> Changed(KeycloakTables tables, Action<NpgsqlConnectionStringBuilder> change)
    {
        var address = new NpgsqlConnectionStringBuilder(tables.ConnectionString);
        change(address);
        return Task.FromResult(address.ConnectionString);
    }

    private static async Task<string> After(KeycloakTables tables, Task planted)
    {
        await planted;
        return tables.ConnectionString;
    }
}
