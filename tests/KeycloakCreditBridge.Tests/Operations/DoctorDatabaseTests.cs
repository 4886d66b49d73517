using Dapper;
using KeycloakCreditBridge.Operations;
using KeycloakCreditBridge.Operations.Diagnosis;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Contract.Ways;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Operations;

/// <summary>What doctor says of Keycloak's own database.</summary>
public sealed class DoctorDatabaseTests(PostgresServer postgres, ProductionKeycloak keycloak)
{
    private const string Check = "Keycloak's database";
    private const string Setting = "Keycloak:Database:ConnectionString";

    private static readonly IReadOnlyDictionary<string, (string Says, Func<KeycloakTables, Task<string>> Plant)> Faults =
        new Dictionary<string, (string Says, Func<KeycloakTables, Task<string>> Plant)>(StringComparer.Ordinal)
        {
            ["it does not answer"] = (
                "see that it runs and correct Keycloak:Database:ConnectionString", tables => Changed(tables, address => address.Port = FreePort.Next())),
            ["there is no such database"] = ("correct Keycloak:Database:ConnectionString", tables => Changed(tables, address => address.Database = "nowhere")),
            ["there is no such role"] = ("correct Keycloak:Database:ConnectionString", tables => Changed(tables, address => address.Username = "nobody")),
            ["its role may write"] = ("user_entity (update). Give a role that has select", tables => After(tables, tables.GrantAsync("update", "user_entity"))),
            ["its tables are not as known"] = (
                "user_entity.enabled. Grant select", tables => After(tables, tables.ExecuteAsync("alter table user_entity rename enabled to active"))),
            ["it does not have the realm"] = (
                "no realm 'demo': have Keycloak:Database:ConnectionString lead to", tables => After(tables, tables.ExecuteAsync("update realm set name = 'other'"))),
        };

    public static TheoryData<string> Names => [.. Faults.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task One_that_cannot_be_used_is_named_with_the_cure(string fault)
    {
        await using var tables = await KeycloakTables.CreateAsync(postgres);

        var finding = await LookAsync(await Faults[fault].Plant(tables));

        Assert.Equal(Verdict.Fail, finding.Verdict);
        Assert.Contains(Faults[fault].Says, $"{finding.Says}: {finding.Cure}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_can_be_used_is_well_and_so_is_none()
    {
        await using var tables = await KeycloakTables.CreateAsync(postgres);

        var (used, none) = (await LookAsync(tables.ConnectionString), await LookAsync(connectionString: null));

        Assert.Equal((Verdict.Ok, "its role may read users and write nothing"), (used.Verdict, used.Says));
        Assert.Equal((Verdict.Ok, "not configured, so Keycloak's API is used"), (none.Verdict, none.Says));
    }

    [Fact]
    public async Task That_of_a_real_Keycloak_is_well_for_a_role_that_reads_and_not_for_its_owner()
    {
        await using var scene = await ContractScene.CreateAsync(await keycloak.GetAsync(), postgres);
        var settings = scene.Settings.ToDictionary(pair => pair.Key, string? (pair) => pair.Value, StringComparer.Ordinal);
        var role = $"reader_{Guid.NewGuid():n}";
        await using (var connection = await keycloak.Database.OpenConnectionAsync(TestContext.Current.CancellationToken))
            await connection.ExecuteAsync($"create role {role} login password 'x'; grant select on realm, user_entity to {role}");

        settings[Setting] = new NpgsqlConnectionStringBuilder(keycloak.Address) { Username = role, Password = "x" }.ConnectionString;
        var reader = await LookAsync(settings);
        settings[Setting] = keycloak.Address;
        var owner = await LookAsync(settings);

        Assert.Equal((Verdict.Ok, Verdict.Fail), (reader.Verdict, owner.Verdict));
        Assert.Contains("Its role may write: user_entity", owner.Says, StringComparison.Ordinal);
    }

    /// <summary>What doctor finds where neither PostgreSQL nor Keycloak answers.</summary>
    private static async Task<Finding> LookAsync(string? connectionString)
    {
        var nobody = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        var settings = BridgeHost.Settings($"Host=127.0.0.1;Port={nobody.Port};Username=x;Database=y", nobody);
        settings[Setting] = connectionString;
        return await LookAsync(settings);
    }

    private static async Task<Finding> LookAsync(Dictionary<string, string?> settings)
    {
        var builder = Program.Compose([]);
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddSingleton(LogTarget.Command);
        await using var app = builder.Build();
        List<Examined> found = [];
        await Examination.RunAsync(app.Services, administrator: null, found.Add, TestContext.Current.CancellationToken);
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
