using System.Net;
using KeycloakCreditBridge.Keycloak.Connections;

namespace KeycloakCreditBridge.Tests.Keycloak.Connections;

public sealed class EncryptedOnlyProxyTests
{
    private static readonly WebProxy Environment = new("http://user:word@proxy.example.com:3128");

    [Theory]
    [InlineData("https://sso.example.com/", "http://proxy.example.com:3128")]
    [InlineData("http://sso.example.com/", null)]
    [InlineData("https://localhost:8443/", null)]
    [InlineData("https://127.0.0.1/", null)]
    public void A_proxy_is_used_for_https_alone_and_named_without_its_password(string address, string? proxy) =>
        Assert.Equal(proxy, new EncryptedOnlyProxy(Environment, null).NameFor(new Uri(address)));

    [Theory]
    [InlineData("*", true)]
    [InlineData("sso.example.com", true)]
    [InlineData("example.com", true)]
    [InlineData(".example.com", true)]
    [InlineData("*.example.com", true)]
    [InlineData("SSO.Example.COM", true)]
    [InlineData("sso.example.com:8443", true)]
    [InlineData("localhost, 10.0.0.0/8 ,.example.com", true)]
    [InlineData("sso.example.com:443", false)]
    [InlineData("le.com", false)]
    [InlineData("other.example.com", false)]
    [InlineData("10.0.0.0/8", false)]
    [InlineData("", false)]
    public void Hosts_of_NO_PROXY_are_asked_directly(string exceptions, bool isDirect) =>
        Assert.Equal(isDirect, new EncryptedOnlyProxy(Environment, exceptions).IsBypassed(new Uri("https://sso.example.com:8443/")));

    [Theory]
    [InlineData("10.0.0.0/8", "https://10.1.2.3/", true)]
    [InlineData("10.1.2.3", "https://10.1.2.3/", true)]
    [InlineData("192.168.0.0/16", "https://10.1.2.3/", false)]
    [InlineData("fd00::/8", "https://[fd00::1]/", true)]
    [InlineData("fd00::/8", "https://[fe80::1]/", false)]
    public void Networks_of_NO_PROXY_are_asked_directly(string exceptions, string address, bool isDirect) =>
        Assert.Equal(isDirect, new EncryptedOnlyProxy(Environment, exceptions).IsBypassed(new Uri(address)));
}
