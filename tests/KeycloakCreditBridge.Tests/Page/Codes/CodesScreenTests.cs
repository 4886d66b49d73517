using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Page.Codes;

public sealed partial class CodesScreenTests(PostgresFixture postgres)
{
    private static readonly (string, string)[] Spring =
        [("name", "spring"), ("credits", "2.5"), ("count", "3"), ("max_redemptions", "1"), ("once", "user")];

    [Fact]
    public async Task A_campaign_is_made_after_its_cost_was_shown_and_its_codes_are_told_once()
    {
        await using var fixture = await StartAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var shown = await browser.PostAsync("/page/codes/demo", Spring);
        Assert.Contains("at most 7.5 credits", shown.Body, StringComparison.Ordinal);
        Assert.Equal(0, await CampaignsAsync(fixture));

        var edited = await browser.PostAsync("/page/codes/demo", [.. Spring, ("step", "edit")]);
        Assert.Contains("name=\"credits\" required inputmode=\"decimal\" value=\"2.5\"", edited.Body, StringComparison.Ordinal);
        var codes = await MakeAsync(browser);
        Assert.Equal(3, codes.Distinct(StringComparer.Ordinal).Count());
        var again = await browser.PostAsync("/page/codes/demo", [.. Spring, ("step", "do")]);
        Assert.Equal(HttpStatusCode.Conflict, again.Status);
        Assert.Equal(1, await CampaignsAsync(fixture));

        foreach (var screen in (string[])["/page/codes?realm=demo", "/page/codes/demo/spring"])
        {
            var told = await browser.GetAsync(screen);
            Assert.Contains("spring", told.Body, StringComparison.Ordinal);
            Assert.All(codes, code => Assert.DoesNotContain(code, told.Body, StringComparison.Ordinal));
        }

        // What an operator makes in one realm is not there for operators of another one.
        var other = await fixture.SignedInAsync(PageFixture.AdminOfOther);
        Assert.Equal(HttpStatusCode.NotFound, (await other.GetAsync("/page/codes/shop/spring")).Status);
        Assert.DoesNotContain("spring", (await other.GetAsync("/page/codes?realm=shop")).Body, StringComparison.Ordinal);
        Assert.DoesNotContain(
            codes[0], string.Concat(await fixture.Database.QueryAsync<string>("select metadata::text from audit_logs")),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_wrong_with_a_campaign_stands_at_its_field_and_is_kept()
    {
        await using var fixture = await StartAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var answer = await browser.PostAsync(
            "/page/codes/demo", ("name", "<b>Spring"), ("credits", "-1"), ("count", "2"), ("max_redemptions", "1"), ("code", "word"),
            ("once", "inbox"), ("ends_at", "2020-01-01"), ("expires_after", "0"), ("step", "do"));
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        foreach (var text in (string[])
        [
            "value=\"&lt;b&gt;Spring\"", "It is not 1 to 40 characters", "It is negative", "It is not 1: a chosen code",
            "It is less than 2", "It needs a secret in Provisioning:SignupGrant:EmailKey", "It has passed",
            "It is not a whole number from 1 to 3650",
        ])
            Assert.Contains(text, answer.Body, StringComparison.Ordinal);
        Assert.Equal(0, await CampaignsAsync(fixture));
    }

    [Fact]
    public async Task Codes_are_disabled_by_number_and_all_with_a_reason_each()
    {
        await using var fixture = await StartAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        await MakeAsync(browser);
        Assert.Equal(HttpStatusCode.BadRequest, (await DisableAsync(("number", "2"), ("reason", "x"))).Status);
        // An empty number is not all of them.
        Assert.Equal(HttpStatusCode.BadRequest, (await DisableAsync(("number", ""), ("reason", "leaked"))).Status);
        Assert.Equal(HttpStatusCode.Redirect, (await DisableAsync(("number", "2"), ("reason", "leaked"))).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await DisableAsync(("number", "2"), ("reason", "leaked"))).Status);
        Assert.Contains("2 open, 1 disabled", (await browser.GetAsync("/page/codes/demo/spring")).Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Redirect, (await DisableAsync(("which", "all"), ("reason", "the end"))).Status);
        Assert.Equal(3, await fixture.Database.ScalarAsync<long>("select count(disabled_at) from codes"));
        Assert.Equal(
            ["2 leaked", "all the end"], await fixture.Database.QueryAsync<string>(
                """
                select (metadata ->> 'number') || ' ' || (metadata ->> 'reason') from audit_logs
                where action = 'page.disable_codes' and result = 'success' order by id
                """));

        Task<PageAnswer> DisableAsync(params (string, string)[] fields) => browser.PostAsync("/page/codes/demo/spring/disable", fields);
    }

    [Fact]
    public async Task What_a_campaign_gave_is_counted_and_taken_back_once_its_name_was_typed()
    {
        await using var fixture = await StartAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var codes = await MakeAsync(browser);
        await RedeemAsync(fixture, codes[0]);
        var counted = await VoidAsync();
        Assert.Contains("Open redemptions</dt><dd class=\"big\">1<", counted.Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await VoidAsync(("step", "do"), ("count", "1"), ("name", "sprin"))).Status);
        await RedeemAsync(fixture, codes[1]);
        var stale = await VoidAsync(("step", "do"), ("count", "1"), ("name", "spring"));
        Assert.Equal(HttpStatusCode.Conflict, stale.Status);
        Assert.Contains("these are 2 redemptions meanwhile", stale.Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Conflict, (await VoidAsync(("step", "do"), ("name", "spring"))).Status);
        Assert.Equal(5m, await GivenAsync());

        var done = await VoidAsync(("step", "do"), ("count", "2"), ("name", "spring"));
        Assert.Contains("Took 5 credits back from 2 redemptions", done.Body, StringComparison.Ordinal);
        Assert.Equal(0m, await GivenAsync());
        Assert.Contains("nothing to take back", (await VoidAsync()).Body, StringComparison.Ordinal);

        Task<PageAnswer> VoidAsync(params (string, string)[] fields) =>
            browser.PostAsync("/page/codes/demo/spring/void", [.. fields, ("reason", "leaked")]);

        Task<decimal> GivenAsync() => fixture.Database.ScalarAsync<decimal>(
            "select sum(amount) from credit_transactions where grant_key like '%code:%' or metadata ->> 'voids' like 'code:%'");
    }

    private Task<PageFixture> StartAsync() => PageFixture.StartAsync(postgres, ("Grants:Codes:Key", new string('c', 32)));

    private static async Task<IReadOnlyList<string>> MakeAsync(PageBrowser browser)
    {
        var made = await browser.PostAsync("/page/codes/demo", [.. Spring, ("step", "do")]);
        Assert.Equal(HttpStatusCode.OK, made.Status);
        return [.. Line().Matches(WebUtility.HtmlDecode(made.Body)).Select(match => match.Groups["code"].Value)];
    }

    private static async Task RedeemAsync(PageFixture fixture, string code)
    {
        var user = await fixture.AddUserAsync();
        var redeemed = await fixture.Bridge.Services.GetRequiredService<CodeRedeemer>().RedeemAsync(
            new RedeemingUser(PageFixture.Realm, user, null), null, code, TestContext.Current.CancellationToken);
        Assert.Equal(RedeemOutcome.Paid, redeemed!.Outcome);
    }

    private static Task<long> CampaignsAsync(PageFixture fixture) =>
        fixture.Database.ScalarAsync<long>("select count(*) from code_campaigns");

    [GeneratedRegex(@"^\d+,(?<code>[0-9A-Z-]+)\r?$", RegexOptions.Multiline)]
    private static partial Regex Line();
}
