using KeycloakCreditBridge.Sandbox.Processes;
using PuppeteerSharp;

namespace KeycloakCreditBridge.Tests.Page;

/// <summary>A chromium of one test, which notes what its pages complain about.</summary>
internal sealed class ChromiumFixture : IAsyncDisposable
{
    private readonly IBrowser _browser;

    private ChromiumFixture(IBrowser browser) => _browser = browser;

    /// <summary>Errors of scripts, and violations of the policy.</summary>
    public List<string> Complaints { get; } = [];

    /// <summary>Every address that a page was sent to.</summary>
    public List<string> Addresses { get; } = [];

    public static async Task<ChromiumFixture> StartAsync()
    {
        var program = Command.Find("chromium");
        Assert.SkipUnless(program is not null, "Needs chromium: install the package chromium.");
        return new ChromiumFixture(await Puppeteer.LaunchAsync(new LaunchOptions
        {
            ExecutablePath = program, Headless = true, Args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        }));
    }

    /// <summary>A window; all windows share their cookies.</summary>
    /// <param name="scripts">Whether JavaScript is on.</param>
    /// <param name="policy">Whether the page's policy holds; without it a test may load a script of its own.</param>
    public async Task<IPage> OpenAsync(bool scripts = true, bool policy = true)
    {
        var page = await _browser.NewPageAsync();
        await page.SetJavaScriptEnabledAsync(scripts);
        await page.SetBypassCSPAsync(!policy);
        await page.SetViewportAsync(new ViewPortOptions { Width = 1280, Height = 900 });
        page.Console += (_, written) =>
        {
            if (written.Message.Type.ToString() == "Error")
                Complaints.Add($"{page.Url}: {written.Message.Text}");
        };
        page.PageError += (_, error) => Complaints.Add($"{page.Url}: {error.Message}");
        page.Request += (_, request) => Addresses.Add(request.Request.Url);
        return page;
    }

    /// <summary>Fills in Keycloak's form.</summary>
    public static async Task SignInAsync(IPage page, string username, string password)
    {
        await page.WaitForSelectorAsync("#kc-form-login");
        await page.TypeAsync("#username", username);
        await page.TypeAsync("#password", password);
        await ClickAsync(page, "#kc-form-login [type=submit]");
    }

    /// <summary>Clicks on what leads to another page.</summary>
    public static async Task ClickAsync(IPage page, string selector)
    {
        var next = page.WaitForNavigationAsync();
        await page.ClickAsync(selector);
        await next;
    }

    public static Task DarkAsync(IPage page, bool isDark) => page.EmulateMediaFeaturesAsync(
        [new MediaFeatureValue { MediaFeature = MediaFeature.PrefersColorScheme, Value = isDark ? "dark" : "light" }]);

    public async ValueTask DisposeAsync() => await _browser.DisposeAsync();
}
