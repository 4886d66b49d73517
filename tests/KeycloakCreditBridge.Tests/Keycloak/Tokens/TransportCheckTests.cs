using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Tests.Keycloak.Tokens;

public sealed class TransportCheckTests
{
    [Theory]
    [InlineData("http://keycloak:8080/auth", true)]
    [InlineData("http://192.0.2.1", true)]
    [InlineData("http://localhost:1", false)]
    [InlineData("http://127.0.0.1:1", false)]
    [InlineData("http://[::1]:1", false)]
    [InlineData("https://192.0.2.1", false)]
    public async Task A_start_warns_of_secrets_that_travel_unencrypted_to_another_machine(string url, bool warns)
    {
        var settings = BridgeFixture.Settings($"Host=127.0.0.1;Port={FreePort.Next()};Username=x;Database=y", new Uri(url));
        await using var bridge = await BridgeFixture.Build(settings).StartAsync();

        Assert.Equal(warns, bridge.Log.Says("travel unencrypted"));
        await bridge.StopAsync();
    }
}
