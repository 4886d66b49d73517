using System.Reflection;
using System.Text.RegularExpressions;
using Dapper;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Tests.Reconciliation;

namespace KeycloakCreditBridge.Tests.Storage;

public sealed partial class SqlTests(PostgresServer postgres)
{
    public static TheoryData<string> Names => [.. Statements().Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Every_statement_fits_the_migrated_schema(string name)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(KeycloakTables.Schema);
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var statement = Parameter().Replace(
            Statements()[name],
            match => "$" + (numbers.TryGetValue(match.Value, out var number) ? number : numbers[match.Value] = numbers.Count + 1));
        await using var connection = await database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        // What is kept in temporary tables is said of them in the session that has them.
        foreach (var table in TemporaryTables())
            await connection.ExecuteAsync(table);
        await connection.ExecuteAsync("prepare checked as " + statement);
    }

    private static IEnumerable<string> TemporaryTables() =>
        Constants("create temporary table ").Select(statement => statement.Sql);

    // The table of applied migrations is made by the migrator itself: its own DDL is nothing to prepare.
    private static Dictionary<string, string> Statements() => Constants("")
        .Where(statement => !statement.Sql.StartsWith("create ", StringComparison.Ordinal))
        .ToDictionary(statement => statement.Name, statement => statement.Sql);

    private static IEnumerable<(string Name, string Sql)> Constants(string beginning) => typeof(Migrator).Assembly.GetTypes()
        .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.DeclaredOnly))
        .Where(field => field.IsLiteral && field.Name.EndsWith("Sql", StringComparison.Ordinal))
        .Select(field => (Name: $"{field.DeclaringType!.Name}.{field.Name}", Sql: (string)field.GetRawConstantValue()!))
        .Where(statement => statement.Sql.StartsWith(beginning, StringComparison.Ordinal));

    [GeneratedRegex("@[A-Z][A-Za-z]*")]
    private static partial Regex Parameter();
}
