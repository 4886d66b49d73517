using KeycloakCreditBridge.Setup.Webhooks;

namespace KeycloakCreditBridge.Tests.Setup.Webhooks;

public sealed class BridgeAddressTests
{
    [Theory]
    [InlineData("http://bridge:8085/webhooks/keycloak/shop", "http://+:8085")]
    [InlineData("http://bridge:8085", "http://127.0.0.1:5000;http://0.0.0.0:8085/")]
    [InlineData("http://localhost:8085", "http://localhost:8085")]
    [InlineData("http://bridge:8085", "http://[::]:8085")]
    [InlineData("https://bridge.example.com", "http://+:8085")]
    [InlineData("http://bridge", "http://+:8085")]
    public void An_address_that_fits_or_may_be_a_proxy_s_is_no_problem(string told, string listening) =>
        Assert.Null(BridgeAddress.Problem(new Uri(told), listening.Split(';')));

    [Theory]
    [InlineData("http://bridge:8080", "http://+:8085", "and the bridge listens on http://+:8085")]
    [InlineData("http://bridge:8085", "http://localhost:8085", "which only this machine can reach")]
    [InlineData("http://bridge:8085", "http://[::1]:8085", "which only this machine can reach")]
    [InlineData("https://bridge:8085", "http://+:8085", "by another scheme")]
    [InlineData("http://bridge:8080", "http://+", "and the bridge listens on http://+")]
    public void A_plain_mismatch_is_told_with_both_addresses_and_the_cure(string told, string listening, string says)
    {
        var problem = BridgeAddress.Problem(new Uri(told), listening.Split(';'));

        Assert.Contains(says, problem!.Says, StringComparison.Ordinal);
        Assert.Contains(told, problem.Says, StringComparison.Ordinal);
        Assert.Contains("ASPNETCORE_URLS=http", problem.Cure, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_an_address_there_is_nothing_to_compare() => Assert.Null(BridgeAddress.Problem(null, ["http://+:8085"]));
}
