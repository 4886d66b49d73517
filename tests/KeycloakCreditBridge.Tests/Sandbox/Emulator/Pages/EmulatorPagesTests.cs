using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;
using static KeycloakCreditBridge.Tests.Sandbox.Emulator.EmulatorFixture;

namespace KeycloakCreditBridge.Tests.Sandbox.Emulator.Pages;

public sealed class EmulatorPagesTests
{
    [Fact]
    public async Task A_registration_redirects_back_with_a_code_and_raises_two_events()
    {
        await using var emulator = await StartAsync();
        var reply = await emulator.RegisterAsync("ada");
        Assert.Equal(HttpStatusCode.Found, reply.Status);
        Assert.StartsWith("http://127.0.0.1:9/cb?state=s1&session_state=", reply.Location!.OriginalString, StringComparison.Ordinal);
        Assert.Contains("&code=", reply.Location.Query, StringComparison.Ordinal);
        var bridge = await emulator.BridgeTokenAsync();
        var events = await emulator.ListAsync($"{Events}?direction=asc&client=app", bridge);
        Assert.Equal(["REGISTER", "LOGIN"], Types(events));
        Assert.Equal(("form", "ada@example.com"), (Text(events[0], "details", "register_method"), Text(events[0], "details", "email")));
        Assert.Equal(Text(events[0], "userId"), (string?)(await emulator.ListAsync(Users, bridge))[0]!["id"]);
    }

    [Fact]
    public async Task A_bad_form_is_shown_again_and_creates_no_user()
    {
        await using var emulator = await StartAsync();
        var reply = await emulator.RegisterAsync("ada", confirm: "other");
        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Contains("input-error-password-confirm", reply.Body, StringComparison.Ordinal);
        var bridge = await emulator.BridgeTokenAsync();
        Assert.Equal("0", (await emulator.SendAsync("GET", $"{Users}/count", bridge)).Body);
        Assert.Equal(["REGISTER_ERROR"], Types(await emulator.ListAsync($"{Events}?client=app", bridge)));
    }

    [Fact]
    public async Task A_login_needs_its_cookie_and_the_right_password()
    {
        await using var emulator = await StartAsync();
        await emulator.RegisterAsync("ada");
        var page = await emulator.SendAsync("GET", AppAddress("auth"), null);
        var form = new Dictionary<string, string> { ["username"] = "ada", ["password"] = "wrong" };
        Assert.Equal(HttpStatusCode.BadRequest, (await emulator.PostFormAsync(ActionOf(page), form)).Status);
        Assert.Equal(HttpStatusCode.OK, (await emulator.PostFormAsync(ActionOf(page), form, page.Cookie)).Status);
        form["password"] = "pass";
        Assert.Equal(HttpStatusCode.Found, (await emulator.PostFormAsync(ActionOf(page), form, page.Cookie)).Status);
        Assert.Equal(
            ["LOGIN", "LOGIN_ERROR"], Types(await emulator.ListAsync($"{Events}?client=app&max=2", await emulator.BridgeTokenAsync())));
    }

    [Fact]
    public async Task A_first_login_through_a_provider_creates_the_user_before_the_registration_event()
    {
        await using var emulator = await StartAsync();
        await AddProviderAsync(emulator);
        var (atReturn, cookie) = await ReturnFromProviderAsync(emulator, "carol");
        var first = await emulator.SendAsync("GET", atReturn.OriginalString, null, cookie: cookie);
        var created = await emulator.SendAsync("GET", first.Location!.OriginalString, null, cookie: cookie);
        var bridge = await emulator.BridgeTokenAsync();
        Assert.Equal(["carol"], Names(await emulator.ListAsync(Users, bridge)));
        Assert.Equal(["IDENTITY_PROVIDER_FIRST_LOGIN"], Types(await emulator.ListAsync($"{Events}?client=app", bridge)));
        var back = await emulator.SendAsync("GET", created.Location!.OriginalString, null, cookie: cookie);
        Assert.StartsWith("http://127.0.0.1:9/cb", back.Location!.OriginalString, StringComparison.Ordinal);
        var events = await emulator.ListAsync($"{Events}?client=app&direction=asc", bridge);
        Assert.Equal(["IDENTITY_PROVIDER_FIRST_LOGIN", "REGISTER", "LOGIN"], Types(events));
        Assert.Null(events[0]!["userId"]);
        Assert.Equal("broker", Text(events[1], "details", "register_method"));
    }

    [Fact]
    public async Task A_provider_without_an_address_leads_to_the_review_page_once()
    {
        await using var emulator = await StartAsync();
        await AddProviderAsync(emulator);
        var (atReturn, cookie) = await ReturnFromProviderAsync(emulator, "dora");
        var first = await emulator.SendAsync("GET", atReturn.OriginalString, null, cookie: cookie);
        var page = await emulator.SendAsync("GET", first.Location!.OriginalString, null, cookie: cookie);
        var form = new Dictionary<string, string> { ["email"] = "dora@example.com", ["firstName"] = "Dora", ["lastName"] = "R" };
        var reviewed = await emulator.PostFormAsync(ActionOf(page), form, cookie);
        await emulator.SendAsync("GET", reviewed.Location!.OriginalString, null, cookie: cookie);
        var bridge = await emulator.BridgeTokenAsync();
        Assert.Equal("dora@example.com", (string?)(await emulator.ListAsync(Users, bridge))[0]!["email"]);

        emulator.Server.Realm("provider").ChangeUser("dora-at-provider", user => user with { Email = "dora@new.example" });
        var (again, next) = await ReturnFromProviderAsync(emulator, "dora");
        await emulator.SendAsync("GET", again.OriginalString, null, cookie: next);
        Assert.Equal("dora@new.example", (string?)(await emulator.ListAsync(Users, bridge))[0]!["email"]);
        var types = Types(await emulator.ListAsync($"{Events}?client=app&direction=asc", bridge));
        Assert.Equal(["UPDATE_PROFILE", "IDENTITY_PROVIDER_FIRST_LOGIN", "REGISTER", "LOGIN", "LOGIN"], types);
    }

    [Fact]
    public async Task The_sandboxs_administrator_and_browser_work_with_the_emulator()
    {
        var token = TestContext.Current.CancellationToken;
        await using var server = await EmulatedKeycloak.StartAsync(new EmulatorOptions(), token);
        using var admin = KeycloakAdmin.Of(server);
        var browser = new KeycloakBrowser(server.Url);
        await admin.ImportRealmAsync("shop", DemoRealm.Json("secret", server.SendsWebhooks), token);
        await admin.ImportRealmAsync("partner", """{"enabled":true}""", token);
        await admin.AddIdentityProviderAsync("shop", "partner", "partner", token);
        await admin.CreateUserAsync("partner", new SandboxUser("carol", "carol@example.com"), token);
        await browser.RegisterAsync("shop", new SandboxUser("ada", "ada@example.com"), token);
        await browser.LoginAsync("shop", "ada", "A-long-passphrase-1", token);
        await browser.LoginThroughBrokerAsync("shop", "partner", "carol", "A-long-passphrase-1", token);
        await admin.PartialImportAsync("shop", [new SandboxUser("grace", "grace@example.com")], token);
        Assert.Equal(3, await admin.CountUsersAsync("shop", token));
        await admin.SetServiceAccountRolesAsync("shop", DemoRealm.ClientId, ["query-users"], token);
        await admin.UpdateRealmAsync("shop", new JsonObject { ["registrationAllowed"] = false }, token);
        var zoe = new SandboxUser("zoe", "zoe@example.com");
        await Assert.ThrowsAsync<InvalidOperationException>(() => browser.RegisterAsync("shop", zoe, token));
        await admin.DeleteEventsAsync("shop", token);
        await admin.DeleteRealmAsync("shop", token);
    }

    private static async Task AddProviderAsync(EmulatorFixture emulator)
    {
        await emulator.ImportAsync("provider", []);
        var (admin, url) = (await emulator.AdminTokenAsync(), emulator.Server.Url);
        var client = new JsonObject
        {
            ["clientId"] = "broker", ["secret"] = "x", ["redirectUris"] = new JsonArray($"{url}realms/{Realm}/broker/corp/endpoint*"),
        };
        Assert.Equal(HttpStatusCode.Created, await emulator.StatusAsync("POST", "admin/realms/provider/clients", admin, client));
        var provider = new JsonObject
        {
            ["alias"] = "corp",
            ["providerId"] = "keycloak-oidc",
            ["trustEmail"] = true,
            ["config"] = new JsonObject
            {
                ["clientId"] = "broker",
                ["clientSecret"] = "x",
                ["syncMode"] = "FORCE",
                ["authorizationUrl"] = $"{url}realms/provider/protocol/openid-connect/auth",
            },
        };
        var providers = $"admin/realms/{Realm}/identity-provider/instances";
        Assert.Equal(HttpStatusCode.Created, await emulator.StatusAsync("POST", providers, admin, provider));
        var realm = emulator.Server.Realm("provider");
        realm.AddUser(new EmulatedUser("carol-at-provider", "carol") { Email = "carol@example.com", Password = "pass" });
        realm.AddUser(new EmulatedUser("dora-at-provider", "dora") { Password = "pass" });
    }

    /// <summary>Goes to the provider, logs in there, and stops where the browser is sent back to.</summary>
    private static async Task<(Uri Endpoint, string? Cookie)> ReturnFromProviderAsync(EmulatorFixture emulator, string username)
    {
        var hinted = await emulator.SendAsync("GET", $"{AppAddress("auth")}&kc_idp_hint=corp", null);
        var leaving = await emulator.SendAsync("GET", hinted.Location!.OriginalString, null, cookie: hinted.Cookie);
        var page = await emulator.SendAsync("GET", leaving.Location!.OriginalString, null);
        var form = new Dictionary<string, string> { ["username"] = username, ["password"] = "pass" };
        var reply = await emulator.PostFormAsync(ActionOf(page), form, page.Cookie);
        Assert.Equal(HttpStatusCode.Found, reply.Status);
        return (reply.Location!, hinted.Cookie);
    }
}
