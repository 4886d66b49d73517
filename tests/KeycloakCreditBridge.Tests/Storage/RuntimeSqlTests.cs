using System.Text.RegularExpressions;
using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Storage;

/// <summary>What doctor checks and `migrate --grant-to` gives is exactly what the statements of the program use.</summary>
public sealed partial class RuntimeSqlTests(MigratedSessionFixture session) : IClassFixture<MigratedSessionFixture>
{
    private const string Role = "exactly_what_is_used";

    private static readonly string[] Privileges = ["select", "insert", "update", "delete"];

    // For the owner: `migrate`, `adopt` and `realm rename`. Keycloak's tables are in another database.
    private static readonly string[] OfTheOwner =
        ["MigrationStore.RecordSql", "AdoptionMarkStore.DoneSql", "AdoptionMarkStore.ReplacedSql"];

    private static readonly string[] OwnersStores =
        ["AdoptionStore", "AccountOwnerStore", "AdoptionTotalsStore", "AdoptionGrantStore", "RealmRenameStore", "KeycloakDatabaseStore"];

    [Fact]
    public async Task The_needed_privileges_are_those_that_statements_use()
    {
        var connection = session.Connection;
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync(
            $"create role {Role}; grant usage on schema public to {Role}; grant usage on sequence user_hints_version to {Role};"
            + $"grant all on all tables in schema public to {Role}; grant execute on all functions in schema public to {Role}");
        var tables = (await connection.QueryAsync<string>(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition"))
            .ToList();

        HashSet<(string, string)> used = [];
        HashSet<(string, string)> usedByRenames = [];
        foreach (var (name, sql) in Statements())
        {
            var parameters = await PrepareAsync(connection, "used", sql);
            foreach (var table in tables.Where(table => Regex.IsMatch(sql, $@"\b{table}\b")))
            {
                foreach (var privilege in Privileges)
                {
                    if (!await RunsAsync(connection, parameters, $"revoke {privilege} on {table} from {Role}"))
                        (name.StartsWith("RenameStore.", StringComparison.Ordinal) ? usedByRenames : used).Add((table, privilege));
                }
            }

            await connection.ExecuteAsync("deallocate used");
        }

        var needed = await NeededAsync(renames: false);
        var neededToRename = await NeededAsync(renames: true);
        Findings.None(
        [
            .. used.Except(needed).Select(item => $"{item.Item2} on {item.Item1} is used and not in PrivilegeStore.NeededSql"),
            .. needed.Except(used).Select(item => $"{item.Item2} on {item.Item1} is in PrivilegeStore.NeededSql and not used"),
            .. used.Union(usedByRenames).Except(neededToRename).Select(item => $"{item.Item2} on {item.Item1} is used to rename"),
            .. neededToRename.Except(used.Union(usedByRenames)).Select(item => $"{item.Item2} on {item.Item1} is not used to rename"),
        ]);

        async Task<HashSet<(string, string)>> NeededAsync(bool renames) => [.. await connection.QueryAsync<(string, string)>(
            $"select relation, privilege from ({NeededSql(renames)}) n where relation = any (@tables)", new { tables })];
    }

    // Privileges are checked when a plan is made ready to run: a select for update of no row needs them all the same.
    private static async Task<bool> RunsAsync(NpgsqlConnection connection, int parameters, string without)
    {
        var values = parameters == 0 ? "" : $"({string.Join(", ", Enumerable.Repeat("null", parameters))})";
        try
        {
            await connection.ExecuteAsync($"savepoint s; {without}; set local role {Role}; explain execute used{values}");
            return true;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            return false;
        }
        finally
        {
            await connection.ExecuteAsync("rollback to s");
        }
    }

    private static async Task<int> PrepareAsync(NpgsqlConnection connection, string name, string sql)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var statement = Parameter().Replace(
            sql, match => "$" + (numbers.TryGetValue(match.Value, out var number) ? number : numbers[match.Value] = numbers.Count + 1));
        await connection.ExecuteAsync($"prepare {name} as {statement}");
        return numbers.Count;
    }

    private static IEnumerable<(string Name, string Sql)> Statements() => MigratedSessionFixture.Constants("")
        .Where(statement => !statement.Sql.StartsWith("create ", StringComparison.Ordinal) && !OfTheOwner.Contains(statement.Name)
            && !OwnersStores.Contains(statement.Name.Split('.')[0]));

    private static string NeededSql(bool renames) => MigratedSessionFixture.Constants("")
        .Single(statement => statement.Name == "PrivilegeStore.NeededSql").Sql
        .Replace("@Renames", renames ? "true" : "false", StringComparison.Ordinal);

    [GeneratedRegex("@[A-Z][A-Za-z]*")]
    private static partial Regex Parameter();
}
