using System.Reflection;

namespace KeycloakCreditBridge.Tests.Contract.Ways;

public sealed class WayCatalogueTests
{
    private const string Header =
        """
        | what happens | Keycloak says | the bridge | with webhooks | polling only | reconciliation only | measured | proven on |
        |---|---|---|---|---|---|---|---|
        """;

    [Fact]
    public void The_table_of_the_documents_is_the_catalogue()
    {
        var table = string.Join('\n', [Header, .. WayCatalogue.All.Select(way => way.Row)]) + "\n";
        var page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "how-users-are-found.md"));
        Assert.True(
            page.Contains(table, StringComparison.Ordinal), $"docs/how-users-are-found.md does not have this table of ways:\n{table}");
    }

    [Fact]
    public void Every_way_is_proven_by_a_test_that_exists()
    {
        foreach (var way in WayCatalogue.All)
        {
            Assert.NotEmpty(way.Tests);
            Assert.All(way.Tests, test => Assert.NotNull(test.Found?.GetCustomAttribute<FactAttribute>()));
        }
    }

    [Fact]
    public void Every_test_of_a_way_is_in_the_catalogue()
    {
        var covering = WayCatalogue.All.SelectMany(way => way.Tests).ToHashSet();
        var tests = from type in GetType().Assembly.GetTypes()
                    where type.Namespace?.StartsWith(GetType().Namespace!, StringComparison.Ordinal) == true && type != GetType()
                    from method in type.GetMethods()
                    where method.GetCustomAttribute<FactAttribute>() is not null
                    select new CoveringTest(type, method.Name);
        Assert.All(tests, test => Assert.Contains(test, covering));
    }
}
