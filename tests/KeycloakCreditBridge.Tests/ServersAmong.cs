using KeycloakCreditBridge.Tests.Contract.Ways;
using KeycloakCreditBridge.Tests.Sandbox;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(KeycloakCreditBridge.Tests.ServersAmong))]

namespace KeycloakCreditBridge.Tests;

/// <summary>
/// Puts classes that need a real Keycloak evenly among the others, beginning with one of them: while a server is prepared others run, and at the
/// end nobody waits for one.
/// </summary>
public sealed class ServersAmong : ITestCollectionOrderer
{
    private static readonly Type[] Servers = [typeof(ProductionKeycloak), typeof(KeycloakServers)];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.GroupBy(NeedsServer)
            .SelectMany(group => group.Select((collection, index) => (Collection: collection, NeedsServer: group.Key, Place: (double)index / group.Count())))
            .OrderBy(placed => placed.Place).ThenByDescending(placed => placed.NeedsServer)
            .Select(placed => placed.Collection)];

    // A collection is a class here, and its name is in what the collection is called.
    private static bool NeedsServer<TTestCollection>(TTestCollection collection)
        where TTestCollection : ITestCollection =>
        collection.TestCollectionDisplayName.Split(' ').Select(word => typeof(ServersAmong).Assembly.GetType(word)).Any(type => type is not null && Needs(type));

    private static bool Needs(Type type) => type.GetConstructors().SelectMany(constructor => constructor.GetParameters())
        .Any(parameter => Servers.Contains(parameter.ParameterType) || (parameter.ParameterType.Assembly == type.Assembly && Needs(parameter.ParameterType)));
}
