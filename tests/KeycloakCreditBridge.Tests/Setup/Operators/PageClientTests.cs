using System.Text.Json.Nodes;
using KeycloakCreditBridge.Setup.Operators;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Configuration;

namespace KeycloakCreditBridge.Tests.Setup.Operators;

[StartsPrograms]
public sealed class PageClientTests(KeycloakFixture servers, PostgresFixture postgres)
{
    [Theory, EveryKeycloak]
    public async Task Setup_makes_the_pages_client_once_repairs_it_and_removes_it_again(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind);
        fixture.More["Page:Enabled"] = "true";
        fixture.More["Page:Url"] = fixture.BridgeUrl.ToString();
        fixture.More["Page:ClientSecret"] = "page-secret-zq7w";
        fixture.More["Page:KeysSecret"] = new string('k', 32);
        var before = await fixture.ReadStateAsync();

        var setup = await fixture.SetupAsync("--yes", "--no-webhook");
        Assert.True(setup.ExitCode == 0, setup.Output + setup.Error);
        Assert.Contains(
            $"+ role credits-viewer of client credit-bridge-page in realm {fixture.Realm}\n", setup.Output, StringComparison.Ordinal);
        var client = await ClientAsync(fixture);
        Assert.Equal(
            ("S256", true, false), (
                (string?)client["attributes"]!["pkce.code.challenge.method"], (bool?)client["standardFlowEnabled"],
                (bool?)client["fullScopeAllowed"]));
        Assert.Equal($"{fixture.BridgeUrl}page/signed-in", (string?)client["redirectUris"]![0]);
        Assert.EndsWith("Nothing to do.\n", (await fixture.SetupAsync("--no-webhook")).Output, StringComparison.Ordinal);

        var doctor = await fixture.DoctorAsync();
        Assert.Contains($"ok    page client of {fixture.Realm}", doctor.Output, StringComparison.Ordinal);
        Assert.Contains($"ok    page redirect of {fixture.Realm}", doctor.Output, StringComparison.Ordinal);

        client["redirectUris"] = new JsonArray("https://elsewhere.example/*");
        await fixture.SendAsync(HttpMethod.Put, $"admin/realms/{fixture.Realm}/clients/{(string?)client["id"]}", client);
        Assert.Contains("FAIL  page redirect", (await fixture.DoctorAsync()).Output, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(
            "~ client credit-bridge-page", (await fixture.SetupAsync("--yes", "--no-webhook")).Output, StringComparison.Ordinal);
        Assert.Equal($"{fixture.BridgeUrl}page/signed-in", (string?)(await ClientAsync(fixture))["redirectUris"]![0]);

        Assert.Equal(0, (await fixture.SetupAsync("--undo", "--yes")).ExitCode);
        Assert.Equal(
            before["clients"]!.AsArray().Select(one => (string?)one!["clientId"]),
            (await fixture.ReadStateAsync())["clients"]!.AsArray().Select(one => (string?)one!["clientId"]));
    }

    [Theory]
    [InlineData("Page:Url", "http://credits.example.com", "Page:Url")]
    [InlineData("Page:Url", "https://credits.example.com/path", "Page:Url")]
    [InlineData("Page:Realm", "nowhere", "Page:Realm")]
    [InlineData("Page:ClientSecret", "", "Page:ClientSecret")]
    [InlineData("Page:KeysSecret", "short", "Page:KeysSecret")]
    [InlineData("Page:SessionIdle", "09:00:00", "Page:SessionIdle")]
    public void A_setting_that_makes_the_page_unsafe_is_named(string key, string value, string named)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Keycloak:Realms:0:Name"] = "demo", ["Page:Enabled"] = "true", ["Page:Url"] = "https://credits.example.com",
            ["Page:ClientSecret"] = "secret", ["Page:KeysSecret"] = new string('k', 32),
        }).AddInMemoryCollection(new Dictionary<string, string?> { [key] = value }).Build();
        var options = configuration.GetSection(PageOptions.Section).Get<PageOptions>()!;
        var result = new PageOptionsValidator(configuration).Validate(null, options);
        Assert.Contains(result.Failures ?? [], failure => failure.StartsWith(named, StringComparison.Ordinal));
    }

    private static async Task<JsonObject> ClientAsync(SetupFixture fixture) => (await fixture.SendAsync(
        HttpMethod.Get, $"admin/realms/{fixture.Realm}/clients?clientId=credit-bridge-page"))!.AsArray()[0]!.DeepClone().AsObject();
}
