using System.Reflection;
using KeycloakCreditBridge.Tests.Contract.Ways.Production;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Running;

/// <summary>
/// The trait by which `dotnet test --filter` selects tests: the most that a test needs. It follows from the fixtures of the class's
/// constructor, the kind of Keycloak of a theory row and <see cref="StartsProgramsAttribute"/>; other tests that start servers carry the
/// trait themselves.
/// </summary>
internal static class TestNeeds
{
    public const string Trait = "Needs";
    public const string Nothing = "Nothing";
    public const string PostgreSql = "PostgreSQL";

    /// <summary>The bridge's executable, a broker, a browser or a tool; such tests often need PostgreSQL too.</summary>
    public const string Programs = "Programs";

    /// <summary>A real Keycloak; such tests often need all the others too.</summary>
    public const string Keycloak = "Keycloak";

    private static readonly Type[] KeycloakFixtures = [typeof(ProductionKeycloakFixture), typeof(KeycloakFixture)];

    public static string Of(Type testClass, MethodInfo method, IEnumerable<object?> arguments)
    {
        if (
            arguments.OfType<KeycloakKind>().Any(kind => !KeycloakFixture.IsEmulated(kind))
                || Takes(testClass, [typeof(ProductionKeycloakFixture)]))
            return Keycloak;
        if (method.IsDefined(typeof(StartsProgramsAttribute)) || testClass.IsDefined(typeof(StartsProgramsAttribute)))
            return Programs;
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
            needs.Contains(server) || needs.Contains(Keycloak) || (server == PostgreSql && needs.Contains(Programs)),
            $"{testCase.TestClassName} starts {server}, which neither its constructor nor its arguments tell: add "
                + (server == Programs ? "[StartsPrograms]." : $"[Trait(\"{Trait}\", \"{server}\")]."));
    }

    private static bool Takes(Type type, Type[] fixtures) => type.GetConstructors().SelectMany(constructor => constructor.GetParameters())
        .Select(parameter => parameter.ParameterType)
        .Any(taken => fixtures.Contains(taken) || (taken.Assembly == type.Assembly && Takes(taken, fixtures)));
}
