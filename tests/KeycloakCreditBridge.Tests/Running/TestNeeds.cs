using KeycloakCreditBridge.Tests.Contract.Ways.Production;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Running;

/// <summary>
/// The trait by which `dotnet test --filter` selects tests: the server that a test needs. It follows from the fixtures of the class's
/// constructor and the kind of Keycloak of a theory row; other tests that start servers carry the trait themselves.
/// </summary>
internal static class TestNeeds
{
    public const string Trait = "Needs";
    public const string Nothing = "Nothing";
    public const string PostgreSql = "PostgreSQL";

    /// <summary>A real Keycloak; such tests often need PostgreSQL too.</summary>
    public const string Keycloak = "Keycloak";

    private static readonly Type[] KeycloakFixtures = [typeof(ProductionKeycloakFixture), typeof(KeycloakFixture)];

    public static string Of(Type testClass, IEnumerable<object?> arguments)
    {
        if (
            arguments.OfType<KeycloakKind>().Any(kind => !KeycloakFixture.IsEmulated(kind))
                || Takes(testClass, [typeof(ProductionKeycloakFixture)]))
            return Keycloak;
        return Takes(testClass, [typeof(PostgresFixture)]) ? PostgreSql : Nothing;
    }

    /// <summary>Whether a constructor takes a fixture that starts a real Keycloak.</summary>
    public static bool TakesKeycloak(Type testClass) => Takes(testClass, KeycloakFixtures);

    /// <summary>Fails the running test when its trait does not say that it needs this server.</summary>
    public static void Demand(string server)
    {
        if (TestContext.Current.TestCase is not { } testCase || !testCase.Traits.TryGetValue(Trait, out var needs))
            return;
        Assert.True(
            needs.Contains(server) || needs.Contains(Keycloak),
            $"{testCase.TestClassName} starts {server}, which neither its constructor nor its arguments tell: add [Trait(\"{Trait}\", " +
            $"\"{server}\")].");
    }

    private static bool Takes(Type type, Type[] fixtures) => type.GetConstructors().SelectMany(constructor => constructor.GetParameters())
        .Select(parameter => parameter.ParameterType)
        .Any(taken => fixtures.Contains(taken) || (taken.Assembly == type.Assembly && Takes(taken, fixtures)));
}
