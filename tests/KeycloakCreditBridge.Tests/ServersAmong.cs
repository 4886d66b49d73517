using KeycloakCreditBridge.Tests.Contract.Ways;
using KeycloakCreditBridge.Tests.Sandbox;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(KeycloakCreditBridge.Tests.ServersFirst))]

namespace KeycloakCreditBridge.Tests;

/// <summary>
/// Begins with the tests that need a real Keycloak: a server takes long to prepare, during which others run, and at the end nobody waits for it.
/// </summary>
public sealed class ServersFirst : ITestCollectionOrderer
{
    private static readonly Type[] Servers = [typeof(ProductionKeycloak), typeof(KeycloakServers)];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection => [.. testCollections.OrderByDescending(NeedsServer)];

    // A collection is a class here, and its name is in what the collection is called.
    private static bool NeedsServer<TTestCollection>(TTestCollection collection)
        where TTestCollection : ITestCollection =>
        collection.TestCollectionDisplayName.Split(' ').Select(word => typeof(ServersFirst).Assembly.GetType(word)).Any(type => type is not null && Needs(type));

    private static bool Needs(Type type) => type.GetConstructors().SelectMany(constructor => constructor.GetParameters())
        .Any(parameter => Servers.Contains(parameter.ParameterType) || (parameter.ParameterType.Assembly == type.Assembly && Needs(parameter.ParameterType)));
}
