using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Tests.Grants.Policy;

public sealed class GrantsOptionsTests
{
    [Theory]
    [InlineData("Grants:Welcome:Credits", "0", "Grants:Welcome:Credits is 0: choose more than 0")]
    [InlineData("Grants:Welcome:Credits", "-1", "Grants:Welcome:Credits is -1")]
    [InlineData("Grants:Welcome:Credits", "1000000001", "Grants:Welcome:Credits is 1000000001")]
    [InlineData("Grants:Welcome:Credits", "0.0000001", "Grants:Welcome:Credits is 0.0000001")]
    [InlineData("Grants:Welcome:Requires:0", "email_verifed",
        "Grants:Welcome:Requires:0 is 'email_verifed', did you mean email_verified: choose email_verified.")]
    [InlineData("Grants:Welcome:Before", "1", "Grants:Welcome:Before has no effect without Requires")]
    [InlineData("Grants:Welcome:VerifyWithin", "1.00:00:00", "Grants:Welcome:VerifyWithin has no effect without Requires")]
    [InlineData("Grants:Welcome:VerifyWithin", "00:59:59", "Grants:Welcome:VerifyWithin is 00:59:59: choose 01:00:00 to 365.00:00:00.")]
    [InlineData("Grants:Welcome:VerifyWithin", "366.00:00:00", "Grants:Welcome:VerifyWithin is 366.00:00:00")]
    [InlineData("Grants:Welcome:ExpiresAfter", "00:00:00", "Grants:Welcome:ExpiresAfter is 00:00:00")]
    [InlineData("Grants:Welcome:ExpiresAfter", "-1.00:00:00", "Grants:Welcome:ExpiresAfter is -1.00:00:00")]
    [InlineData("Grants:Realms:shop:Welcome:Credits", "5", "Grants:Realms:shop is no realm of Keycloak:Realms")]
    [InlineData("Grants:Realms:demo:Welcome:Credits", "0", "Grants:Realms:demo:Welcome:Credits is 0")]
    public void A_policy_that_cannot_hold_stops_the_start_with_its_key(string key, string value, string said)
    {
        var exception = Assert.Throws<ConfigurationException>(() => Build((key, value)).Dispose());
        Assert.StartsWith(said, Assert.Single(exception.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void All_faults_are_listed_at_once()
    {
        var exception = Assert.Throws<ConfigurationException>(() => Build(
            ("Grants:Welcome:Credits", "5"), ("Grants:Welcome:Before", "6"), ("Grants:Welcome:Requires:0", "email_verified"),
            ("Grants:Welcome:Requires:1", "email_verified"), ("Grants:Welcome:VerifyWithin", "00:00:01")).Dispose());
        Assert.Equal(3, exception.Problems.Count);
    }

    [Fact]
    public void A_welcome_with_a_gate_is_accepted() => Build(
        ("Grants:Welcome:Credits", "5.00"), ("Grants:Welcome:Before", "1.0"), ("Grants:Welcome:Requires:0", "email_verified"),
        ("Grants:Welcome:VerifyWithin", "7.00:00:00"), ("Grants:Welcome:ExpiresAfter", "30.00:00:00")).Dispose();

    private static BridgeFixture Build(params (string Key, string? Value)[] settings) =>
        BridgeFixture.Build(BridgeFixture.Settings("Host=db;Database=credits", new Uri("http://127.0.0.1:9")), settings);
}
