using System.Reflection;
using System.Text.RegularExpressions;
using Dapper;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Migrations;
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

    [Fact]
    public void Every_statement_file_is_part_of_a_statement()
    {
        Assert.NotEmpty(Statements());
        Assert.Equal(
            typeof(Migrator).Assembly.GetManifestResourceNames()
                .Where(name => name.EndsWith(".sql", StringComparison.Ordinal) && !name.Contains(".Migrations.", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
            SqlText.Files.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_statement_file_says_what_each_common_table_expression_yields()
    {
        foreach (var file in Directory.EnumerateFiles(
            Path.Combine(Repository.Top, "src", "KeycloakCreditBridge"), "*.sql", SearchOption.AllDirectories)
            .Where(file => !file.Contains("Migrations", StringComparison.Ordinal)))
        {
            var lines = File.ReadAllLines(file);
            for (var index = 0; index < lines.Length; index++)
            {
                if (Expression().Match(lines[index]) is { Success: true } expression)
                    Assert.Contains(
                        lines[..index], line => line.StartsWith($"-- {expression.Groups[1].Value}: ", StringComparison.Ordinal));
            }
        }
    }

    // The table of applied migrations is made by the migrator itself: its own DDL is nothing to prepare.
    private static Dictionary<string, string> Statements() => MigratedSessionFixture.Constants("")
        .Where(statement => !statement.Sql.StartsWith("create ", StringComparison.Ordinal))
        .ToDictionary(statement => statement.Name, statement => statement.Sql);

    [GeneratedRegex("@[A-Z][A-Za-z]*")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"^(?:with )?(\w+) as \(")]
    private static partial Regex Expression();
}

/// <summary>A session of a migrated database that has Keycloak's tables too, and the temporary ones that statements speak of.</summary>
public sealed partial class MigratedSessionFixture(PostgresFixture postgres) : IAsyncLifetime
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
        .Where(field => (field.IsLiteral || field.IsInitOnly)
            && field.FieldType == typeof(string) && field.Name.EndsWith("Sql", StringComparison.Ordinal))
        .Select(field => (
            Name: $"{field.DeclaringType!.Name}.{field.Name}",
            Sql: Copying().Replace((string)field.GetValue(null)!, "insert into $1 ($2) select $2 from $1")))
        .Where(statement => statement.Sql.StartsWith(beginning, StringComparison.Ordinal));

    // What is copied cannot be prepared; an insert of the same columns can.
    [GeneratedRegex(@"^copy (\w+) \(([^)]*)\) from stdin.*$", RegexOptions.Singleline)]
    private static partial Regex Copying();
}
