using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Referrals;

public sealed class ReferralsScreenTests(PostgresFixture postgres)
{
    private const string Hostile = "<script>alert(1)</script>\u202Eevil";

    private const string GiveSql =
        """
        with c as (
            update user_credits set credits_remaining = credits_remaining + @amount where user_id = @account returning *)
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, grant_key, created_at)
        select user_id, @amount, credits_remaining, 'bonus', @key, now() from c
        """;

    [Fact]
    public async Task What_a_referral_paid_is_shown_and_taken_back_from_one_side_and_then_the_other()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var (referrer, referee, id) = (await fixture.AddUserAsync(), await fixture.AddUserAsync(), Guid.NewGuid());
        await fixture.Database.ExecuteAsync(GiveSql, new { account = referrer, amount = 5m, key = $"referral:given:{id}" });
        await fixture.Database.ExecuteAsync(GiveSql, new { account = referee, amount = 3m, key = "referral:received" });
        await fixture.Database.ExecuteAsync(
            """
            insert into referrals (id, referrer, referee, state, touched_at, evaluated_at, ended_at, referrer_credits, referee_credits,
                referrer_grant, referee_grant)
            values (@id, @referrer, @referee, 'paid', now(), now(), now(), 5, 3, 'referral:given:' || @id, 'referral:received')
            """,
            new { id, referrer, referee });
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var shown = await browser.GetAsync($"/page/referrals/demo/{id}");
        Assert.Contains($"/page/accounts/demo/{referrer}", shown.Body, StringComparison.Ordinal);
        Assert.Contains($"/page/accounts/demo/{referee}", shown.Body, StringComparison.Ordinal);

        var before = await BalancesAsync();
        var asked = await ReverseAsync(("who", "referrer"));
        Assert.Matches(
            new Regex("Referrer.*?>5</td><td class=\"num\">0<.*?Referee.*?>3</td><td class=\"num\">3<", RegexOptions.Singleline),
            asked.Body);
        Assert.Equal(before, await BalancesAsync());
        var stale = await ReverseAsync(("who", "referrer"), ("step", "do"), ("state", "pending"));
        Assert.Equal((HttpStatusCode.Conflict, before), (stale.Status, await BalancesAsync()));

        await ReverseAsync(("who", "referrer"), ("step", "do"), ("state", "paid"));
        Assert.Equal((before.Item1 - 5m, before.Item2), await BalancesAsync());
        await ReverseAsync(("who", "referee"), ("step", "do"), ("state", "reversed"));
        Assert.Equal((before.Item1 - 5m, before.Item2 - 3m), await BalancesAsync());
        Assert.Equal(2, await fixture.Database.ScalarAsync<long>(
            """
            select count(*) from audit_logs
            where action = 'page.reverse_referral' and result = 'success' and metadata ->> 'reason' = 'fraud'
            """));

        Task<PageAnswer> ReverseAsync(params (string, string)[] fields) =>
            browser.PostAsync($"/page/referrals/demo/{id}/reverse", [.. fields, ("reason", "fraud")]);

        async Task<(decimal, decimal)> BalancesAsync() => (await BalanceAsync(referrer), await BalanceAsync(referee));

        Task<decimal> BalanceAsync(string account) => fixture.Database.ScalarAsync<decimal>(
            "select credits_remaining from user_credits where user_id = @account", new { account });
    }

    [Fact]
    public async Task Referrals_are_counted_by_state_and_each_stands_on_exactly_one_page()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        // Of one instant, so that the ids alone tell them apart.
        await fixture.Database.ExecuteAsync(
            """
            insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
            select id, realm, id, 0, 0, 'trial', now(), now() from (values (@Hostile, 'demo'), ('of-shop', 'shop')) as u (id, realm);
            insert into referrals (referrer, referee, state, reason, touched_at, evaluated_at)
            select @Hostile, 'bob-' || n, case when n <= 120 then 'canceled' else 'refused' end, 'not_met', '2026-11-30 12:00:00Z', now()
            from generate_series(1, 125) n;
            insert into referrals (referrer, referee, state, touched_at, evaluated_at)
            values ('of-shop', 'eve', 'canceled', '2026-11-30 12:00:00Z', now())
            """,
            new { Hostile });
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        List<string> shown = [];
        for (string? path = "/page/referrals?realm=demo&state=canceled"; path is not null;)
        {
            var answer = await browser.GetAsync(path);
            Assert.Contains("canceled <strong>120</strong>", answer.Body, StringComparison.Ordinal);
            Assert.Contains("refused <strong>5</strong>", answer.Body, StringComparison.Ordinal);
            Assert.Contains("&lt;script&gt;alert(1)", answer.Body, StringComparison.Ordinal);
            Assert.DoesNotContain("<script>alert", answer.Body, StringComparison.Ordinal);
            Assert.DoesNotContain("\u202E", WebUtility.HtmlDecode(answer.Body), StringComparison.Ordinal);
            shown.AddRange(Regex.Matches(answer.Body, "referrals/demo/([0-9a-f-]{36})").Select(match => match.Groups[1].Value));
            var next = Regex.Match(answer.Body, "href=\"([^\"]+)\">Older").Groups[1].Value;
            path = next.Length > 0 ? WebUtility.HtmlDecode(next) : null;
        }

        Assert.Equal((120, 120), (shown.Count, shown.Distinct(StringComparer.Ordinal).Count()));
        var ofBob = await browser.GetAsync("/page/referrals?realm=demo&user=bob-7&state=nonsense");
        Assert.Single(Regex.Matches(ofBob.Body, "referrals/demo/[0-9a-f-]{36}"));
        Assert.Contains("state nonsense", ofBob.Body, StringComparison.Ordinal);

        // A referral of a realm is not there under the name of another one.
        var other = await fixture.SignedInAsync(PageFixture.AdminOfOther);
        Assert.Equal(HttpStatusCode.NotFound, (await other.GetAsync($"/page/referrals/shop/{shown[0]}")).Status);
    }
}
