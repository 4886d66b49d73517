using KeycloakCreditBridge.Tests.Contract.Ways.Production;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(KeycloakCreditBridge.Tests.KeycloakCollectionOrderer))]

namespace KeycloakCreditBridge.Tests;

/// <summary>
/// Puts classes that need a real Keycloak evenly among the others, beginning with one of them: while a server is prepared others run, and at the
/// end nobody waits for one.
/// </summary>
public sealed class KeycloakCollectionOrderer : ITestCollectionOrderer
{
    private static readonly Type[] Servers = [typeof(ProductionKeycloakFixture), typeof(KeycloakFixture)];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.GroupBy(NeedsServer)
            .SelectMany(group => group.Select((collection, index) => (Collection: collection, NeedsServer: group.Key, Place: (double)index / group.Count())))
            .OrderBy(placed => placed.Place).ThenByDescending(placed => placed.NeedsServer)
            .Select(placed => placed.Collection)];

    // A collection is a class here, and its name is in what the collection is called.
    private static bool NeedsServer<TTestCollection>(TTestCollection collection)
        where TTestCollection : ITestCollection =>
        collection.TestCollectionDisplayName.Split(' ').Select(word => typeof(KeycloakCollectionOrderer).Assembly.GetType(word)).Any(type => type is not null && Needs(type));

    private static bool Needs(Type type) => type.GetConstructors().SelectMany(constructor => constructor.GetParameters())
        .Any(parameter => Servers.Contains(parameter.ParameterType) || (parameter.ParameterType.Assembly == type.Assembly && Needs(parameter.ParameterType)));
}
