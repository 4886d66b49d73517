using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(KeycloakCreditBridge.Tests.Running.KeycloakCollectionOrderer))]

namespace KeycloakCreditBridge.Tests.Running;

/// <summary>
/// Spreads the classes that need a real Keycloak evenly among the others, beginning with one of them: others run while a server is
/// prepared, and no class waits for one at the end.
/// </summary>
public sealed class KeycloakCollectionOrderer : ITestCollectionOrderer
{
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.GroupBy(NeedsServer)
            .SelectMany(
                group =>
                    group.Select((collection, index) => (Collection: collection, Needs: group.Key, Place: (double)index / group.Count())))
            .OrderBy(placed => placed.Place).ThenByDescending(placed => placed.Needs)
            .Select(placed => placed.Collection)];

    // Every class is a collection of its own, whose display name contains the name of the class.
    private static bool NeedsServer<TTestCollection>(TTestCollection collection)
        where TTestCollection : ITestCollection =>
        collection.TestCollectionDisplayName.Split(' ').Select(word => typeof(KeycloakCollectionOrderer).Assembly.GetType(word))
            .Any(type => type is not null && TestNeeds.TakesKeycloak(type));
}
