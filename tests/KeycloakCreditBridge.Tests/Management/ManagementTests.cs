using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Management;

public sealed class ManagementTests(PostgresFixture postgres)
{
    private static readonly string[] Details = ["checks", "keycloak", "demo", "bridge_"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Another_machine_reads_whether_the_bridge_is_ready_and_nothing_else()
    {
        Assert.SkipUnless(OwnAddress() is not null, "This machine has no address but the loopback.");
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        await using var bridge = await BridgeFixture.Build(fixture.Database, fixture.Keycloak, ("Urls", "http://0.0.0.0:0")).StartAsync();
        var here = new Uri($"http://127.0.0.1:{bridge.Url.Port}");
        var outside = new Uri($"http://{OwnAddress()}:{bridge.Url.Port}");
        await ReadyAsync(here);

        Assert.Equal((HttpStatusCode.OK, """{"status":"ready"}"""), await GetAsync(outside, "health/ready"));
        Assert.Equal((HttpStatusCode.OK, """{"status":"live"}"""), await GetAsync(outside, "health/live"));
        await RefusedAsync(outside);
        await ToldAsync(here);
    }

    [Theory]
    [InlineData("X-Forwarded-For", "203.0.113.7")]
    [InlineData("X-Forwarded-For", "127.0.0.1")]
    [InlineData("X-Forwarded-Proto", "https")]
    [InlineData("X-Real-IP", "203.0.113.7")]
    [InlineData("Forwarded", "for=203.0.113.7")]
    [InlineData("Via", "1.1 proxy")]
    [InlineData("Host", "credits.example.com")]
    public async Task A_request_that_a_proxy_on_the_same_machine_passes_on_is_a_strangers(string header, string value)
    {
        foreach (var enabled in (string[])["true", "false"])
        {
            await using var fixture = await ReconciliationFixture.StartAsync(postgres);
            await using var bridge = await BridgeFixture.Build(
                fixture.Database, fixture.Keycloak, ("ForwardedHeaders_Enabled", enabled)).StartAsync();
            await ReadyAsync(bridge.Url);

            Assert.Equal((HttpStatusCode.OK, """{"status":"ready"}"""), await GetAsync(bridge.Url, "health/ready", header, value));
            await RefusedAsync(bridge.Url, header, value);
        }
    }

    [Fact]
    public async Task With_an_address_of_its_own_details_are_told_there_only_and_nothing_else_is_served_there()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        var management = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        await using var bridge = await BridgeFixture.Build(
            fixture.Database, fixture.Keycloak, ("Management:Url", management.ToString())).StartAsync();
        await ReadyAsync(bridge.Url);

        Assert.NotEqual(management.Port, bridge.Url.Port);
        await ToldAsync(management);
        await ToldAsync(management, "X-Forwarded-For", "203.0.113.7");
        Assert.Equal((HttpStatusCode.OK, """{"status":"live"}"""), await GetAsync(management, "health/live"));
        foreach (var path in (string[])["api/v1/credits/balance", "openapi/v1.json", "authz", "webhooks/keycloak/demo", "metrics/../api"])
            Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(management, path)).Status);
        Assert.Equal((HttpStatusCode.OK, """{"status":"ready"}"""), await GetAsync(bridge.Url, "health/ready"));
        await RefusedAsync(bridge.Url);
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(bridge.Url, "api/v1/credits/balance")).Status);
    }

    [Theory]
    [InlineData("HTTP_PORTS", "{0}")]
    [InlineData("Kestrel:Endpoints:Main:Url", "http://127.0.0.1:{0}")]
    public async Task The_address_stands_beside_the_main_one_however_that_is_configured(string key, string value)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        var (main, management) = (FreePort.Next(), new Uri($"http://127.0.0.1:{FreePort.Next()}"));
        await using var bridge = await BridgeFixture.Build(
            fixture.Database, fixture.Keycloak, ("Urls", null), ("Management:Url", management.ToString()),
            (key, string.Format(CultureInfo.InvariantCulture, value, main))).StartAsync();

        await ReadyAsync(new Uri($"http://127.0.0.1:{main}"));
        await ToldAsync(management);
    }

    private static Task ReadyAsync(Uri bridge) => Eventually.TrueAsync(
        async () => (await GetAsync(bridge, "health/ready")).Status == HttpStatusCode.OK, "the bridge is ready");

    private static async Task ToldAsync(Uri bridge, string? header = null, string? value = null)
    {
        Assert.Contains("keycloak:demo", (await GetAsync(bridge, "health/ready", header, value)).Body, StringComparison.Ordinal);
        var (status, text) = await GetAsync(bridge, "metrics", header, value);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains("bridge_build_info", text, StringComparison.Ordinal);
    }

    private static async Task RefusedAsync(Uri bridge, string? header = null, string? value = null)
    {
        var (status, text) = await GetAsync(bridge, "metrics", header, value);
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.DoesNotContain(Details, detail => text.Contains(detail, StringComparison.Ordinal));
        Assert.Contains("Management:Url", text, StringComparison.Ordinal);
    }

    private static async Task<(HttpStatusCode Status, string Body)> GetAsync(
        Uri bridge, string path, string? header = null, string? value = null)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(bridge, path));
        if (header is not null)
            request.Headers.TryAddWithoutValidation(header, value);
        using var answer = await http.SendAsync(request, Token);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    private static IPAddress? OwnAddress() => NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(network => network.GetIPProperties().UnicastAddresses)
        .Select(unicast => unicast.Address)
        .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
}
