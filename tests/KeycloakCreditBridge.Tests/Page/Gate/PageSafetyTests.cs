using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Gate;

public sealed class PageSafetyTests(PostgresFixture postgres)
{
    private static readonly (string, string)[] Grant =
        [("amount", "1"), ("reason", "because"), ("step", "do"), ("key", "0123456789abcdef")];

    [Theory]
    [InlineData("cross-site")]
    [InlineData("same-site")]
    public async Task A_form_that_another_site_sends_changes_nothing(string site)
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var form = Grant.ToDictionary(field => field.Item1, field => field.Item2);
        form["form_token"] = browser.FormToken;
        var answer = await browser.SendAsync(
            HttpMethod.Post, $"/page/accounts/{PageFixture.Realm}/{user}/allocate", form, ("Sec-Fetch-Site", site));
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Equal(0, await BonusesAsync(fixture));
    }

    [Theory]
    [InlineData("http://elsewhere.example", HttpStatusCode.BadRequest)]
    [InlineData(null, HttpStatusCode.BadRequest)]
    [InlineData("own", HttpStatusCode.Redirect)]
    public async Task Without_Sec_Fetch_Site_the_origin_counts(string? origin, HttpStatusCode expected)
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        (string, string)[] headers =
            origin is null ? [] : [("Origin", origin == "own" ? fixture.Bridge.Url.GetLeftPart(UriPartial.Authority) : origin)];
        var answer = await browser.SendAsync(
            HttpMethod.Post, "/page/check", new Dictionary<string, string> { ["form_token"] = browser.FormToken }, headers);
        Assert.Equal(expected, answer.Status);
    }

    [Fact]
    public async Task A_form_without_the_sessions_token_is_refused_and_its_text_kept()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        browser.FormToken = "of-an-earlier-session";
        var answer = await browser.PostAsync(
            $"/page/accounts/{PageFixture.Realm}/{user}/allocate", ("amount", "1"), ("reason", "a long and careful reason"),
            ("step", "do"));
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains("a long and careful reason", answer.Body, StringComparison.Ordinal);
        Assert.Equal(0, await BonusesAsync(fixture));
    }

    [Theory]
    [InlineData("//evil.example")]
    [InlineData("/\\evil.example")]
    [InlineData("https://evil.example/page")]
    [InlineData("/pagevil")]
    [InlineData("/page/../../evil")]
    [InlineData("/page/\r\nLocation: https://evil.example")]
    public async Task A_sign_in_leads_to_no_other_site(string address)
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        using var browser = fixture.NewBrowser();
        var end = await browser.SignInAsync(PageFixture.Admin, path: $"/page/sign-in?return={Uri.EscapeDataString(address)}");
        Assert.Equal(fixture.Bridge.Url.Authority, end.Address.Authority);
    }

    [Theory]
    [InlineData("/page")]
    [InlineData("/page/accounts")]
    [InlineData("/page/runs")]
    [InlineData("/page/audit")]
    [InlineData("/page/no-such-screen")]
    [InlineData("/page/signed-out")]
    public async Task Every_answer_has_the_policy_and_no_screen_has_script_or_style_in_it(string path)
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var answer = await browser.GetAsync(path);
        var keycloak = fixture.Keycloak.Url.GetLeftPart(UriPartial.Authority);
        Assert.Equal(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
            + $"form-action 'self' {keycloak}; base-uri 'none'; frame-ancestors 'none'",
            answer.Headers["Content-Security-Policy"]);
        Assert.Equal("nosniff", answer.Headers["X-Content-Type-Options"]);
        Assert.Equal("same-origin", answer.Headers["Referrer-Policy"]);
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
        Assert.DoesNotMatch(
            new Regex("\\sstyle=|\\son[a-z]+=|<style|<script(?![^>]*\\ssrc=\"/page/assets/)", RegexOptions.IgnoreCase), answer.Body);
    }

    [Fact]
    public async Task Assets_are_named_by_their_text_and_kept_for_ever()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var screen = await browser.GetAsync("/page");
        var size = screen.Body.Length;
        foreach (Match asset in Regex.Matches(screen.Body, "\"(/page/assets/[^\"]+)\""))
        {
            var answer = await browser.GetAsync(asset.Groups[1].Value);
            Assert.Equal((HttpStatusCode.OK, "public, max-age=31536000, immutable"), (answer.Status, answer.Headers["Cache-Control"]));
            size += answer.Body.Length;
        }

        // All that a first view takes, in three requests.
        Assert.InRange(size, 1, 60_000);
    }

    [Fact]
    public async Task Hostile_names_are_shown_as_text()
    {
        const string Hostile = "<script>alert(1)</script>\u202Eevil";
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync(name: Hostile);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var answer = await browser.GetAsync($"/page/accounts/{PageFixture.Realm}/{user}");
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.DoesNotContain("<script>alert", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("\u202E", answer.Body, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_thirty_first_change_within_a_minute_waits()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        List<HttpStatusCode> answers = [];
        for (var change = 0; change < 31; change++)
            answers.Add((await browser.PostAsync($"/page/accounts/{PageFixture.Realm}/none/hint", ("do", "drop"))).Status);
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[^1]);
        Assert.Equal(30, answers.Count(status => status == HttpStatusCode.Conflict));
    }

    private static async Task<long> BonusesAsync(PageFixture fixture) =>
        await fixture.Database.ScalarAsync<long>("select count(*) from credit_transactions where metadata ->> 'source' = 'page'");
}
