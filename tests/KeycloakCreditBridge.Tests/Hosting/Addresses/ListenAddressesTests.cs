using KeycloakCreditBridge.Hosting.Addresses;
using Microsoft.Extensions.Configuration;

namespace KeycloakCreditBridge.Tests.Hosting.Addresses;

/// <summary>Where the bridge listens, with and without settings.</summary>
public sealed class ListenAddressesTests
{
    private static readonly string[] Required =
    [
        "--Storage:ConnectionString=Host=db", "--Keycloak:Url=https://sso.example.com", "--Keycloak:ClientSecret=secret",
        "--Keycloak:Realms:0:Name=shop", "--Keycloak:Realms:0:WebhookSecrets:0=secret",
    ];

    [Fact]
    public async Task Without_a_setting_the_bridge_listens_on_port_8085_of_all_addresses()
    {
        await using var app = Program.Build(Program.Compose(Required));
        Assert.Equal(["http://+:8085"], app.Urls);
        Assert.Equal(["http://+:8085"], ListenAddresses.Of(app.Configuration));
    }

    [Theory]
    [InlineData("Urls", "http://127.0.0.1:9001/;http://127.0.0.1:9002", "http://127.0.0.1:9001/", "http://127.0.0.1:9002")]
    [InlineData("HTTP_PORTS", "9001;9002", "http://+:9001", "http://+:9002")]
    [InlineData("HTTPS_PORTS", "9443", "https://+:9443")]
    [InlineData("Kestrel:Endpoints:Main:Url", "http://127.0.0.1:9001", "http://127.0.0.1:9001")]
    public async Task A_setting_replaces_the_default_address(string key, string value, params string[] expected)
    {
        await using var app = Program.Build(Program.Compose([.. Required, $"--{key}={value}"]));
        Assert.DoesNotContain(ListenAddresses.Default, app.Urls);
        Assert.Equal(expected, ListenAddresses.Of(app.Configuration));
    }

    [Fact]
    public void An_empty_variable_leaves_the_default_address() =>
        Assert.Equal([ListenAddresses.Default], ListenAddresses.Of(Settings(("HTTP_PORTS", ""), ("Urls", ""))));

    [Theory]
    [InlineData("http://+:8085", "http://127.0.0.1:8085")]
    [InlineData("http://[::]:8085/", "http://127.0.0.1:8085")]
    [InlineData("http://10.0.0.7:80", "http://10.0.0.7:80")]
    public void Any_address_is_reached_by_the_loopback_one(string address, string expected) =>
        Assert.Equal(expected, ListenAddresses.Local(address));

    private static IConfiguration Settings(params (string Key, string Value)[] settings) => new ConfigurationBuilder()
        .AddInMemoryCollection(settings.ToDictionary(pair => pair.Key, string? (pair) => pair.Value))
        .Build();
}
