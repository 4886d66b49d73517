using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Api.Description;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using PuppeteerSharp;

namespace KeycloakCreditBridge.Tests.Page;

/// <summary>The page as a browser shows it, signed in with the emulator and with a real Keycloak.</summary>
[StartsPrograms]
public sealed class PageChromiumTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const string Operator = "olga";
    private const string Password = "A-long-passphrase-1";
    private const string MakeRolesOld = "update page_sessions set roles_at = roles_at - interval '5 minutes'";

    private static readonly string[] Screens =
        [
            "/page", "/page/accounts", "/page/review", "/page/runs", "/page/deliveries", "/page/hints", "/page/grants", "/page/codes",
            "/page/referrals", "/page/experiments", "/page/funnel", "/page/audit", "/page/settings", "/page/no-such-screen",
        ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Emulator)]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task An_operator_backfills_a_realm_and_every_screen_keeps_to_the_policy(KeycloakKind kind)
    {
        await using var chromium = await ChromiumFixture.StartAsync();
        var server = await servers.GetAsync(kind);
        await using var database = await postgres.CreateDatabaseAsync();
        var realm = $"page-{Guid.NewGuid():n}";
        await using var bridge = await StartAsync(server, database, realm);
        await Eventually.TrueAsync(
            () => database.ScalarAsync<bool>("select exists (select from reconcile_runs where status = 'done')"),
            "the realm was read completely");
        using var admin = KeycloakAdmin.Of(server);
        var user = await admin.CreateUserAsync(realm, new SandboxUser("anna", "anna@example.com"), Token);
        if (server is EmulatedKeycloak emulator)
            emulator.Realm(realm).AddUsers(10_000);

        var page = await chromium.OpenAsync();
        await page.GoToAsync(new Uri(bridge.Url, "page").ToString());
        Assert.Contains(chromium.Addresses, address => address.Contains("code_challenge_method=S256", StringComparison.Ordinal));
        await ChromiumFixture.SignInAsync(page, Operator, Password);
        Assert.Equal("Overview", await HeadingAsync(page));

        await page.GoToAsync(new Uri(bridge.Url, "page/runs").ToString());
        await page.SelectAsync("select[name=mode]", "list");
        await ChromiumFixture.ClickAsync(page, "form[action$='/runs/" + realm + "'] button");
        // The stream of events ends with a reload, after which the run can be started for good.
        await page.WaitForSelectorAsync("form[action$='/go'] button");
        // Beyond a thousand missing accounts the name has to be typed.
        if (await page.QuerySelectorAsync("input[name=name]") is { } name)
            await name.TypeAsync(realm);
        await ChromiumFixture.ClickAsync(page, "form[action$='/go'] button");
        await page.WaitForFunctionAsync("() => document.querySelector('[data-live=status]')?.textContent === 'done'");
        Assert.True(await database.ScalarAsync<bool>("select exists (select from user_credits where keycloak_id = @user)", new { user }));

        await bridge.Services.GetRequiredService<RollUpStore>().RebuildAsync(whole: true, Token);
        var account = $"/page/accounts/{realm}/{user}";
        var windows = (await chromium.OpenAsync(scripts: false), await chromium.OpenAsync(policy: false));
        foreach (var screen in (string[])[.. Screens, account, $"/page/runs/{realm}/2"])
            await CheckAsync(kind, new Uri(bridge.Url, screen), page, windows.Item1, windows.Item2);
        Assert.All(chromium.Complaints, text => Assert.Contains("404", text, StringComparison.Ordinal));

        await EndAsync(server, realm, database, page, bridge.Url);
    }

    private static async Task CheckAsync(KeycloakKind kind, Uri screen, IPage page, IPage withoutScripts, IPage withoutPolicy)
    {
        await page.SetViewportAsync(new ViewPortOptions { Width = 375, Height = 800 });
        await page.GoToAsync(screen.ToString());
        Assert.True(
            await page.EvaluateExpressionAsync<int>("document.documentElement.scrollWidth") <= 375, $"{screen} is wider than 375 pixels.");
        var picture = $"{kind}-{(screen.Segments.Length == 2 ? "overview" : screen.Segments[2].Trim('/'))}-{screen.Segments.Length}";
        await SaveAsync(page, $"{picture}-narrow");
        await withoutScripts.GoToAsync(screen.ToString());
        Assert.Equal(await HeadingAsync(page), await HeadingAsync(withoutScripts));
        await withoutPolicy.GoToAsync(screen.ToString());
        foreach (var isDark in (bool[])[false, true])
        {
            await ChromiumFixture.DarkAsync(withoutPolicy, isDark);
            await SaveAsync(withoutPolicy, $"{picture}-{(isDark ? "dark" : "light")}");
            Findings.None(await SeriousAsync(withoutPolicy, $"{screen.AbsolutePath}{(isDark ? ", dark" : "")}"));
        }
    }

    // For eyes; what the browser measured stands beside them.
    private static async Task SaveAsync(IPage page, string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Repository.Top, "artifacts", "page")).FullName;
        await page.ScreenshotAsync(Path.Combine(folder, $"{name}.png"));
        var measured = await page.EvaluateExpressionAsync<string>(
            """
            (entries => `${Math.round(entries[0].responseEnd - entries[0].requestStart)} ms, ${entries.length} requests, `
                + `${entries.reduce((sum, entry) => sum + entry.encodedBodySize, 0)} bytes`)
                ([...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')])
            """);
        await File.AppendAllTextAsync(Path.Combine(folder, "measured.txt"), $"{name}: {measured}\n", Token);
    }

    // What axe finds that keeps users out.
    private static async Task<IEnumerable<string>> SeriousAsync(IPage page, string screen)
    {
        var tools = await NodeTools.FolderAsync(Path.Combine(Repository.Top, ".ci", "page"), Token);
        await page.AddScriptTagAsync(new AddTagOptions { Path = Path.Combine(tools, "node_modules", "axe-core", "axe.min.js") });
        var found = await page.EvaluateExpressionAsync<string[]>(
            """
            axe.run().then(result => result.violations.filter(found => ['serious', 'critical'].includes(found.impact))
                .map(found => `${found.id}: ${found.nodes.map(node => node.html).join(' | ')}`))
            """);
        return found.Select(text => $"{screen}: {text}");
    }

    // A role that is taken away counts after five minutes, a logout in Keycloak at once.
    private static async Task EndAsync(IKeycloakServer server, string realm, TestDatabase database, IPage page, Uri bridge)
    {
        using var client = new AdministratorClient(server.Url, server.AdminUser, server.AdminPassword, TimeProvider.System);
        var id = await database.ScalarAsync<string>("select subject from page_sessions");
        var (found, _) = await client.SendAsync(
            HttpMethod.Get, $"admin/realms/{realm}/clients?clientId={DemoRealm.PageClientId}", null, Token);
        var uuid = (string?)found![0]!["id"];
        var (role, _) = await client.SendAsync(HttpMethod.Get, $"admin/realms/{realm}/clients/{uuid}/roles/credits-admin", null, Token);
        await client.SendAsync(
            HttpMethod.Delete, $"admin/realms/{realm}/users/{id}/role-mappings/clients/{uuid}",
            new System.Text.Json.Nodes.JsonArray(role!.DeepClone()), Token);
        await database.ExecuteAsync(MakeRolesOld);
        Assert.Equal(403, (int)(await page.GoToAsync(new Uri(bridge, "page").ToString())).Status);

        await client.SendAsync(HttpMethod.Post, $"admin/realms/{realm}/users/{id}/logout", null, Token);
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from page_sessions"));
    }

    private static async Task<string> HeadingAsync(IPage page) =>
        await (await page.QuerySelectorAsync("h1")).EvaluateFunctionAsync<string>("element => element.textContent");

    private static async Task<BridgeFixture> StartAsync(IKeycloakServer server, TestDatabase database, string realm)
    {
        var url = new Uri($"http://127.0.0.1:{FreePort.Next()}/");
        using var admin = KeycloakAdmin.Of(server);
        await admin.ImportRealmAsync(
            realm,
            DemoRealm.JsonWithPage(
                BridgeFixture.Secret, webhooks: false, url, (new SandboxUser(Operator, "olga@example.com", Password), ["credits-admin"])),
            Token);
        var settings = PageFixture.Settings(database, server.Url, url, url);
        settings["Keycloak:Realms:0:Name"] = realm;
        settings.Remove("Keycloak:Realms:1:Name");
        settings["Reconciliation:Enabled"] = "true";
        settings["Reconciliation:PageSize"] = "1000";
        var bridge = await BridgeFixture.Build(settings).StartAsync();
        await bridge.Services.GetRequiredService<SchemaGate>().WaitAsync(Token);
        return bridge;
    }
}
