using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Review;

public sealed class ReviewScreenTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_hold_is_paid_once_and_the_second_operator_is_told_that_it_was_decided()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        // The policy is older than the account.
        await fixture.Database.ExecuteAsync(
            "insert into grant_policies (realm, policy, activated_at) values ('demo', 'welcome', now() - interval '1 day')");
        var id = await HoldAsync(fixture, user, appeal: "<script>alert(1)</script>\u202Eplease", key: "task:profile");
        var (first, second) = (await fixture.SignedInAsync(PageFixture.Admin), await fixture.SignedInAsync(PageFixture.Admin));
        var shown = await first.GetAsync("/page/review?realm=demo");
        Assert.Contains($"/page/accounts/demo/{user}", shown.Body, StringComparison.Ordinal);
        Assert.Contains("disposable address <small>+50</small>", WebUtility.HtmlDecode(shown.Body), StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;alert(1)", shown.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>alert", shown.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("\u202E", WebUtility.HtmlDecode(shown.Body), StringComparison.Ordinal);

        var before = await BalanceAsync(fixture, user);
        var approved = await first.PostAsync($"/page/review/demo/{id}", ("do", "approve"), ("version", "1"), ("note", "a known customer"));
        Assert.Equal((HttpStatusCode.Redirect, before + 5m), (approved.Status, await BalanceAsync(fixture, user)));
        var late = await second.PostAsync($"/page/review/demo/{id}", ("do", "reject"), ("version", "1"));
        Assert.Equal(HttpStatusCode.Conflict, late.Status);
        Assert.Contains("decided it meanwhile, it is approved", late.Body, StringComparison.Ordinal);
        Assert.Equal(before + 5m, await BalanceAsync(fixture, user));
        Assert.Contains("a known customer", (await first.GetAsync("/page/review?state=approved")).Body, StringComparison.Ordinal);
        Assert.Contains(
            "held task:profile", (await first.GetAsync($"/page/accounts/demo/{user}?kind=hold")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_that_match_a_filter_are_decided_as_they_were_counted()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(
            """
            insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
            select 'user-' || n, 'demo', 'user-' || n, 0, 0, 'trial', now(), now() from generate_series(1, 24) n
            """);
        for (var user = 1; user <= 24; user++)
            await HoldAsync(fixture, $"user-{user}", user <= 22 ? "same_inbox" : "network_hour");
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var counted = await AllAsync();
        Assert.Contains("<dd class=\"big\">22</dd>", counted.Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await AllAsync(("step", "do"), ("count", "22"))).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await AllAsync(("step", "do"), ("count", "21"), ("name", "demo"))).Status);
        Assert.Equal(24, await OpenAsync());
        var done = await AllAsync(("step", "do"), ("count", "22"), ("name", "demo"));
        Assert.Contains("Rejected 22 of 22 held grants", done.Body, StringComparison.Ordinal);
        Assert.Equal(2, await OpenAsync());

        Task<PageAnswer> AllAsync(params (string, string)[] fields) =>
            browser.PostAsync("/page/review/demo/all", [.. fields, ("do", "reject"), ("signal", "same_inbox")]);

        Task<long> OpenAsync() => fixture.Database.ScalarAsync<long>("select count(*) from grant_holds where state = 'held'");
    }

    [Fact]
    public async Task A_hold_of_another_realm_is_not_there()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var id = await HoldAsync(fixture, await fixture.AddUserAsync(PageFixture.Other));
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        Assert.DoesNotContain($"{id}", (await browser.GetAsync("/page/review?realm=demo&state=any")).Body, StringComparison.Ordinal);
        var answer = await browser.PostAsync($"/page/review/demo/{id}", ("do", "approve"), ("version", "1"));
        Assert.Equal(HttpStatusCode.NotFound, answer.Status);
        Assert.Equal(
            "held", await fixture.Database.ScalarAsync<string>("select state from grant_holds where id = @id", new { id }));
    }

    [Fact]
    public async Task Each_hold_stands_on_exactly_one_page()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        for (var number = 0; number < 60; number++)
            await HoldAsync(fixture, user, key: $"task:{number}");
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        List<string> shown = [];
        for (string? path = "/page/review?realm=demo"; path is not null;)
        {
            var answer = await browser.GetAsync(path);
            shown.AddRange(Regex.Matches(answer.Body, "task:[0-9]+").Select(match => match.Value));
            Assert.DoesNotContain("data-undo", answer.Body, StringComparison.Ordinal);
            var next = Regex.Match(answer.Body, "href=\"([^\"]+)\">Next page").Groups[1].Value;
            path = next.Length > 0 ? WebUtility.HtmlDecode(next) : null;
        }

        Assert.Equal((60, 60), (shown.Count, shown.Distinct(StringComparer.Ordinal).Count()));
    }

    /// <summary>A held grant of five credits.</summary>
    internal static Task<Guid> HoldAsync(
        PageFixture fixture, string account, string signal = "disposable_domain", string? appeal = null, string key = "welcome") =>
        fixture.Database.ScalarAsync<Guid>(
            """
            insert into grant_holds (user_id, grant_key, policy, credits, terms, score, signals, state, held_at, lapse_after, lapses_at,
                appeal, appealed_at)
            values (@account, @key, 'welcome', 5, '{"source": "webhook"}', 50,
                jsonb_build_array(jsonb_build_object('signal', @signal, 'score', 50)), 'held', now() - interval '1 hour', '14 days',
                now() + interval '13 days', case when @appeal::text is not null then jsonb_build_object('text', @appeal) end,
                case when @appeal is not null then now() end)
            returning id
            """,
            new { account, signal, appeal, key });

    private static Task<decimal> BalanceAsync(PageFixture fixture, string account) => fixture.Database.ScalarAsync<decimal>(
        "select credits_remaining from user_credits where user_id = @account", new { account });
}
