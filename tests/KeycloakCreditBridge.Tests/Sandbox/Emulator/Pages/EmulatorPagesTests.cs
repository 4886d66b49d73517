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
        await using var driver = await StartAsync();
        var reply = await driver.RegisterAsync("ada");
        Assert.Equal(HttpStatusCode.Found, reply.Status);
        Assert.StartsWith("http://127.0.0.1:9/cb?state=s1&session_state=", reply.Location!.OriginalString, StringComparison.Ordinal);
        Assert.Contains("&code=", reply.Location.Query, StringComparison.Ordinal);
        var bridge = await driver.BridgeTokenAsync();
        var events = await driver.ListAsync($"{Events}?direction=asc&client=app", bridge);
        Assert.Equal(["REGISTER", "LOGIN"], Types(events));
        Assert.Equal(("form", "ada@example.com"), (Text(events[0], "details", "register_method"), Text(events[0], "details", "email")));
        Assert.Equal(Text(events[0], "userId"), (string?)(await driver.ListAsync(Users, bridge))[0]!["id"]);
    }

    [Fact]
    public async Task A_bad_form_is_shown_again_and_creates_no_user()
    {
        await using var driver = await StartAsync();
        var reply = await driver.RegisterAsync("ada", confirm: "other");
        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Contains("input-error-password-confirm", reply.Body, StringComparison.Ordinal);
        var bridge = await driver.BridgeTokenAsync();
        Assert.Equal("0", (await driver.SendAsync("GET", $"{Users}/count", bridge)).Body);
        Assert.Equal(["REGISTER_ERROR"], Types(await driver.ListAsync($"{Events}?client=app", bridge)));
    }

    [Fact]
    public async Task A_login_needs_its_cookie_and_the_right_password()
    {
        await using var driver = await StartAsync();
        await driver.RegisterAsync("ada");
        var page = await driver.SendAsync("GET", AppAddress("auth"), null);
        var form = new Dictionary<string, string> { ["username"] = "ada", ["password"] = "wrong" };
        Assert.Equal(HttpStatusCode.BadRequest, (await driver.PostFormAsync(ActionOf(page), form)).Status);
        Assert.Equal(HttpStatusCode.OK, (await driver.PostFormAsync(ActionOf(page), form, page.Cookie)).Status);
        form["password"] = "pass";
        Assert.Equal(HttpStatusCode.Found, (await driver.PostFormAsync(ActionOf(page), form, page.Cookie)).Status);
        Assert.Equal(["LOGIN", "LOGIN_ERROR"], Types(await driver.ListAsync($"{Events}?client=app&max=2", await driver.BridgeTokenAsync())));
    }

    [Fact]
    public async Task A_first_login_through_a_provider_creates_the_user_before_the_registration_event()
    {
        await using var driver = await StartAsync();
        await AddProviderAsync(driver);
        var (atReturn, cookie) = await ReturnFromProviderAsync(driver, "carol");
        var first = await driver.SendAsync("GET", atReturn.OriginalString, null, cookie: cookie);
        var created = await driver.SendAsync("GET", first.Location!.OriginalString, null, cookie: cookie);
        var bridge = await driver.BridgeTokenAsync();
        Assert.Equal(["carol"], Names(await driver.ListAsync(Users, bridge)));
        Assert.Equal(["IDENTITY_PROVIDER_FIRST_LOGIN"], Types(await driver.ListAsync($"{Events}?client=app", bridge)));
        var back = await driver.SendAsync("GET", created.Location!.OriginalString, null, cookie: cookie);
        Assert.StartsWith("http://127.0.0.1:9/cb", back.Location!.OriginalString, StringComparison.Ordinal);
        var events = await driver.ListAsync($"{Events}?client=app&direction=asc", bridge);
        Assert.Equal(["IDENTITY_PROVIDER_FIRST_LOGIN", "REGISTER", "LOGIN"], Types(events));
        Assert.Null(events[0]!["userId"]);
        Assert.Equal("broker", Text(events[1], "details", "register_method"));
    }

    [Fact]
    public async Task A_provider_without_an_address_leads_to_the_review_page_once()
    {
        await using var driver = await StartAsync();
        await AddProviderAsync(driver);
        var (atReturn, cookie) = await ReturnFromProviderAsync(driver, "dora");
        var first = await driver.SendAsync("GET", atReturn.OriginalString, null, cookie: cookie);
        var page = await driver.SendAsync("GET", first.Location!.OriginalString, null, cookie: cookie);
        var form = new Dictionary<string, string> { ["email"] = "dora@example.com", ["firstName"] = "Dora", ["lastName"] = "R" };
        var reviewed = await driver.PostFormAsync(ActionOf(page), form, cookie);
        await driver.SendAsync("GET", reviewed.Location!.OriginalString, null, cookie: cookie);
        var bridge = await driver.BridgeTokenAsync();
        Assert.Equal("dora@example.com", (string?)(await driver.ListAsync(Users, bridge))[0]!["email"]);

        driver.Server.Realm("provider").ChangeUser("dora-at-provider", user => user with { Email = "dora@new.example" });
        var (again, next) = await ReturnFromProviderAsync(driver, "dora");
        await driver.SendAsync("GET", again.OriginalString, null, cookie: next);
        Assert.Equal("dora@new.example", (string?)(await driver.ListAsync(Users, bridge))[0]!["email"]);
        var types = Types(await driver.ListAsync($"{Events}?client=app&direction=asc", bridge));
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

    private static async Task AddProviderAsync(EmulatorFixture driver)
    {
        await driver.ImportAsync("provider", []);
        var (admin, url) = (await driver.AdminTokenAsync(), driver.Server.Url);
        var client = new JsonObject
        {
            ["clientId"] = "broker", ["secret"] = "x", ["redirectUris"] = new JsonArray($"{url}realms/{Realm}/broker/corp/endpoint*"),
        };
        Assert.Equal(HttpStatusCode.Created, await driver.StatusAsync("POST", "admin/realms/provider/clients", admin, client));
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
        Assert.Equal(HttpStatusCode.Created, await driver.StatusAsync("POST", providers, admin, provider));
        var realm = driver.Server.Realm("provider");
        realm.AddUser(new EmulatedUser("carol-at-provider", "carol") { Email = "carol@example.com", Password = "pass" });
        realm.AddUser(new EmulatedUser("dora-at-provider", "dora") { Password = "pass" });
    }

    /// <summary>Goes to the provider, logs in there, and stops where the browser is sent back to.</summary>
    private static async Task<(Uri Endpoint, string? Cookie)> ReturnFromProviderAsync(EmulatorFixture driver, string username)
    {
        var hinted = await driver.SendAsync("GET", $"{AppAddress("auth")}&kc_idp_hint=corp", null);
        var leaving = await driver.SendAsync("GET", hinted.Location!.OriginalString, null, cookie: hinted.Cookie);
        var page = await driver.SendAsync("GET", leaving.Location!.OriginalString, null);
        var form = new Dictionary<string, string> { ["username"] = username, ["password"] = "pass" };
        var reply = await driver.PostFormAsync(ActionOf(page), form, page.Cookie);
        Assert.Equal(HttpStatusCode.Found, reply.Status);
        return (reply.Location!, hinted.Cookie);
    }
}
