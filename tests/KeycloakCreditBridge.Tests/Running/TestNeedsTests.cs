using System.Reflection;
using KeycloakCreditBridge.Tests.Adoption;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Hints;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using Xunit.Sdk;

namespace KeycloakCreditBridge.Tests.Running;

public sealed class TestNeedsTests
{
    [Fact]
    public void The_fixtures_of_a_class_and_the_kind_of_a_row_say_what_a_test_needs()
    {
        Assert.Equal(TestNeeds.Nothing, Of(typeof(EmulatorTests)));
        Assert.Equal(TestNeeds.PostgreSql, Of(typeof(HintStoreTests)));
        Assert.Equal(TestNeeds.PostgreSql, Of(typeof(RoleTests), KeycloakKind.Emulator));
        Assert.Equal(TestNeeds.Keycloak, Of(typeof(RoleTests), KeycloakKind.Keycloak26_0));
        Assert.Equal(TestNeeds.Programs, Of(typeof(KillTests)));
        Assert.Equal(TestNeeds.Programs, Of(typeof(AdoptionContractTests), KeycloakKind.Emulator));
        Assert.Equal(TestNeeds.Keycloak, Of(typeof(AdoptionContractTests), KeycloakKind.Keycloak26_0));
    }

    // Whatever else starts a program asks for the trait when it does so.
    [Fact]
    public void A_test_of_a_bridge_in_a_process_of_its_own_is_marked() => Findings.None(
        Directory.GetFiles(Path.Combine(Repository.Top, "tests/KeycloakCreditBridge.Tests"), "*Tests.cs", SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file) is var text && text.Contains("BridgeProcess.", StringComparison.Ordinal)
                && !text.Contains("[StartsPrograms", StringComparison.Ordinal)));

    [Fact]
    public void Every_test_has_the_trait() =>
        Assert.Equal([TestNeeds.Nothing], TestContext.Current.TestCase!.Traits[TestNeeds.Trait]);

    [Fact]
    public void Each_slow_class_is_there() => Findings.None(
        TestSpeed.SlowClasses.Where(name => typeof(TestSpeed).Assembly.GetType(name) is null));

    [Fact]
    public void A_test_that_starts_a_server_without_the_trait_fails()
    {
        var failure = Assert.ThrowsAny<XunitException>(() => TestNeeds.Demand(TestNeeds.PostgreSql));

        Assert.Contains("""[Trait("Needs", "PostgreSQL")]""", failure.Message, StringComparison.Ordinal);
    }

    private static string Of(Type testClass, params object?[] arguments) => TestNeeds.Of(
        testClass, testClass.GetMethods().First(method => method.IsDefined(typeof(FactAttribute))), arguments);
}
