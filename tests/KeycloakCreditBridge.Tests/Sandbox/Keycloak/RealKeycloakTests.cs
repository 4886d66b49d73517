using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;

namespace KeycloakCreditBridge.Tests.Sandbox.Keycloak;

public sealed class RealKeycloakTests(KeycloakFixture servers)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    [InlineData(KeycloakKind.Keycloak26_0)]
    public async Task A_refused_form_says_why(KeycloakKind kind)
    {
        var server = await servers.GetAsync(kind);
        using var admin = KeycloakAdmin.Of(server);
        var realm = $"refused-{Guid.NewGuid():n}";
        await admin.ImportRealmAsync(realm, """{"enabled":true,"registrationAllowed":true}""", Token);
        await admin.CreateUserAsync(realm, Named("taken"), Token);

        var browser = new KeycloakBrowser(server.Url);
        var registration = await Assert.ThrowsAsync<InvalidOperationException>(() => browser.RegisterAsync(realm, Named("taken"), Token));
        var login = await Assert.ThrowsAsync<InvalidOperationException>(() => browser.LoginAsync(realm, "taken", "wrong", Token));
        var create = await Assert.ThrowsAsync<HttpRequestException>(() => admin.CreateUserAsync(realm, Named("taken"), Token));

        Assert.Contains("already exists", registration.Message, StringComparison.Ordinal);
        Assert.Contains("Invalid username or password", login.Message, StringComparison.Ordinal);
        Assert.Contains("409", create.Message, StringComparison.Ordinal);
        await admin.DeleteRealmAsync(realm, Token);
    }

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    [InlineData(KeycloakKind.Keycloak26_0)]
    public async Task An_administrator_sets_the_realm_up_for_the_bridge(KeycloakKind kind)
    {
        var server = await servers.GetAsync(kind);
        using var admin = KeycloakAdmin.Of(server);
        var realm = $"setup-{Guid.NewGuid():n}";
        await admin.ImportRealmAsync(realm, DemoRealm.Json("secret", server.SendsWebhooks), Token);
        if (server.SendsWebhooks)
        {
            var webhook = await admin.CreateWebhookAsync(realm, new Uri("http://127.0.0.1:1/"), "secret", ["*"], Token);
            await admin.DeleteWebhookAsync(realm, webhook, Token);
        }

        var config = await admin.GetEventsConfigAsync(realm, Token);
        config["eventsEnabled"] = false;
        await admin.UpdateEventsConfigAsync(realm, config, Token);
        await admin.UpdateRealmAsync(realm, new JsonObject { ["displayName"] = "changed" }, Token);
        await admin.DeleteEventsAsync(realm, Token);
        await admin.SetServiceAccountRolesAsync(realm, DemoRealm.ClientId, ["query-users"], Token);
        await admin.SetServiceAccountRolesAsync(realm, DemoRealm.ClientId, ["view-users", "view-events"], Token);
        var id = await admin.CreateUserAsync(realm, Named("changed"), Token, new JsonObject { ["emailVerified"] = true });
        await admin.UpdateUserAsync(realm, id, new JsonObject { ["enabled"] = false }, Token);

        var changed = await admin.FindUserAsync(realm, "changed", Token);
        Assert.True(changed!["emailVerified"]!.GetValue<bool>());
        Assert.False(changed["enabled"]!.GetValue<bool>());
        Assert.Equal(1, await admin.CountUsersAsync(realm, Token));
        var content = await admin.GetRealmAsync(realm, Token);
        Assert.False(content["eventsEnabled"]!.GetValue<bool>());
        Assert.Equal("changed", content["displayName"]!.GetValue<string>());
        Assert.Equal("2592000", content["attributes"]!["adminEventsExpiration"]!.GetValue<string>());
        await admin.DeleteRealmAsync(realm, Token);
    }

    private static SandboxUser Named(string name) => new(name, $"{name}@example.com");
}
