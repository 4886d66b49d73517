using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Accounts;

public sealed class AccountListTests(PostgresFixture postgres)
{
    private const string AddUsers =
        """
        insert into keycloak_users (realm, keycloak_id, account_id, created_at, user_state, checked_at)
        select 'demo', 'user-' || n, null, case when n % 10 > 0 then timestamptz '2026-01-01' + n / 3 * interval '1 second' end,
            'excluded', now()
        from generate_series(1, 130) as n
        """;

    [Theory]
    [InlineData("", 117)]
    [InlineData("&order=id", 130)]
    public async Task Every_user_stands_on_exactly_one_page(string order, int expected)
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(AddUsers);
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        List<string> shown = [];
        for (string? path = $"/page/accounts?realm=demo&state=excluded{order}"; path is not null;)
        {
            var answer = await browser.GetAsync(path);
            shown.AddRange(Regex.Matches(answer.Body, "/page/accounts/demo/(user-\\d+)\"").Select(match => match.Groups[1].Value));
            var next = Regex.Match(answer.Body, "href=\"([^\"]+)\">Next").Groups[1].Value;
            path = next.Length > 0 ? WebUtility.HtmlDecode(next) : null;
        }

        Assert.Equal(expected, shown.Count);
        Assert.Equal(expected, shown.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public async Task A_filter_that_means_nothing_is_named()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        var answer = await browser.GetAsync("/page/accounts?realm=demo&state=purple");
        Assert.Contains("state purple", answer.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("id")]
    [InlineData("name")]
    [InlineData("address")]
    public async Task A_search_leads_to_the_account_and_holds_no_address_in_an_url(string by)
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync(name: "petra");
        fixture.Keycloak.Realm(PageFixture.Realm).ChangeUser(user, found => found with { Email = "petra@example.com" });
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        var asked = by switch { "id" => $"  {user} ", "name" => "petra", _ => "petra@example.com" };
        var answer = await browser.PostAsync("/page/accounts/find", ("q", asked));
        Assert.Equal($"/page/accounts/demo/{user}", answer.Location!.PathAndQuery);
        Assert.False(fixture.Bridge.Log.Says("petra"));
    }

    [Fact]
    public async Task The_timeline_shows_a_hundred_rows_at_a_time_and_each_once()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at)
            select @User, 0, 0, 'usage', timestamptz '2026-01-01' + n / 7 * interval '1 second' from generate_series(1, 450) as n
            """,
            new { User = user });
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        var rows = 0;
        for (string? path = $"/page/accounts/demo/{user}?kind=ledger"; path is not null;)
        {
            var answer = await browser.GetAsync(path);
            rows += Regex.Count(answer.Body, "<summary>JSON</summary>");
            var next = Regex.Match(answer.Body, "href=\"([^\"]+)\">Older").Groups[1].Value;
            path = next.Length > 0 ? WebUtility.HtmlDecode(next) : null;
        }

        Assert.Equal(451, rows);
    }

    [Fact]
    public async Task A_balance_that_the_ledger_does_not_add_up_to_is_named()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        await AddAsync(1);
        var answer = await browser.GetAsync($"/page/accounts/demo/{user}");
        await AddAsync(-1);
        Assert.Contains("The ledger adds up to", answer.Body, StringComparison.Ordinal);

        Task AddAsync(int credits) => fixture.Database.ExecuteAsync(
            "update user_credits set credits_remaining = credits_remaining + @credits where user_id = @user", new { user, credits });
    }
}
