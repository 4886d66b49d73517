using KeycloakCreditBridge.Tests.Contract;
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
        Assert.Equal(TestNeeds.Nothing, TestNeeds.Of(typeof(EmulatorTests), []));
        Assert.Equal(TestNeeds.PostgreSql, TestNeeds.Of(typeof(HintStoreTests), []));
        Assert.Equal(TestNeeds.PostgreSql, TestNeeds.Of(typeof(RoleTests), [KeycloakKind.Emulator]));
        Assert.Equal(TestNeeds.Keycloak, TestNeeds.Of(typeof(RoleTests), [KeycloakKind.Keycloak26_0]));
    }

    [Fact]
    public void Every_test_has_the_trait() =>
        Assert.Equal([TestNeeds.Nothing], TestContext.Current.TestCase!.Traits[TestNeeds.Trait]);

    [Fact]
    public void A_test_that_starts_a_server_without_the_trait_fails()
    {
        var failure = Assert.ThrowsAny<XunitException>(() => TestNeeds.Demand(TestNeeds.PostgreSql));

        Assert.Contains("""[Trait("Needs", "PostgreSQL")]""", failure.Message, StringComparison.Ordinal);
    }
}
