using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Tests.Management;

public sealed class ManagementOptionsTests
{
    [Theory]
    [InlineData("Management:Url", "9000", "Management:Url is no http or https address with a port")]
    [InlineData("Management:Url", "http://0.0.0.0:0", "Management:Url is no http or https address with a port")]
    [InlineData("Management:Url", "http://0.0.0.0:9000/metrics", "Management:Url is no http or https address with a port")]
    [InlineData("Management:Url", "http://unix:/run/bridge.sock", "Management:Url is no http or https address with a port")]
    [InlineData("Management:Url", "ftp://0.0.0.0:9000", "Management:Url is no http or https address with a port")]
    [InlineData("Management:Url", "http://127.0.0.1:5123", "Management:Url has the port 5123")]
    [InlineData("Api:KnownProxies:0", "proxy", "Api:KnownProxies:0 is 'proxy'")]
    [InlineData("Api:KnownProxies:0", "10.0.0.0/33", "Api:KnownProxies:0 is '10.0.0.0/33'")]
    public void A_wrong_address_is_refused_at_start_with_its_cure(string key, string value, string problem)
    {
        var settings = BridgeFixture.Settings("Host=127.0.0.1;Username=x;Database=y", new Uri("http://127.0.0.1:9"));

        var refused = Assert.Throws<ConfigurationException>(
            () => BridgeFixture.Build(settings, ("Urls", "http://+:5123"), (key, value)).Dispose());

        Assert.Contains(refused.Problems, line => line.StartsWith(problem, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Management:Url", "http://+:9000")]
    [InlineData("Management:Url", "http://*:9000/")]
    [InlineData("Management:Url", "https://[::]:9443")]
    [InlineData("Management:Url", "")]
    [InlineData("Api:KnownProxies:0", "2001:db8::/32")]
    [InlineData("Api:KnownProxies:0", "10.1.2.3")]
    public void A_right_address_is_accepted(string key, string value)
    {
        var settings = BridgeFixture.Settings("Host=127.0.0.1;Username=x;Database=y", new Uri("http://127.0.0.1:9"));

        BridgeFixture.Build(settings, (key, value)).Dispose();
    }
}
