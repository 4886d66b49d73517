using System.Reflection;
using System.Text.RegularExpressions;
using Dapper;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Storage;

public sealed partial class SqlTests(MigratedSessionFixture session) : IClassFixture<MigratedSessionFixture>
{
    public static TheoryData<string> Names => [.. Statements().Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Every_statement_fits_the_migrated_schema(string name)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var statement = Parameter().Replace(
            Statements()[name],
            match => "$" + (numbers.TryGetValue(match.Value, out var number) ? number : numbers[match.Value] = numbers.Count + 1));
        await session.Connection.ExecuteAsync($"prepare checked as {statement}");
        await session.Connection.ExecuteAsync("deallocate checked");
    }

    // The table of applied migrations is made by the migrator itself: its own DDL is nothing to prepare.
    private static Dictionary<string, string> Statements() => MigratedSessionFixture.Constants("")
        .Where(statement => !statement.Sql.StartsWith("create ", StringComparison.Ordinal))
        .ToDictionary(statement => statement.Name, statement => statement.Sql);

    [GeneratedRegex("@[A-Z][A-Za-z]*")]
    private static partial Regex Parameter();
}

/// <summary>A session of a migrated database that has Keycloak's tables too, and the temporary ones that statements speak of.</summary>
public sealed class MigratedSessionFixture(PostgresFixture postgres) : IAsyncLifetime
{
    private TestDatabase _database = null!;

    public NpgsqlConnection Connection { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        Connection = await _database.DataSource.OpenConnectionAsync();
        await Connection.ExecuteAsync(KeycloakTables.Schema);
        foreach (var (_, sql) in Constants("create temporary table "))
            await Connection.ExecuteAsync(sql);
    }

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        await _database.DisposeAsync();
    }

    internal static IEnumerable<(string Name, string Sql)> Constants(string beginning) => typeof(Migrator).Assembly.GetTypes()
        .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.DeclaredOnly))
        .Where(field => field.IsLiteral && field.Name.EndsWith("Sql", StringComparison.Ordinal))
        .Select(field => (Name: $"{field.DeclaringType!.Name}.{field.Name}", Sql: (string)field.GetRawConstantValue()!))
        .Where(statement => statement.Sql.StartsWith(beginning, StringComparison.Ordinal));
}
