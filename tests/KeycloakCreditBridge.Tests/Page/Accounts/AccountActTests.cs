using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Accounts;

public sealed class AccountActTests(PostgresFixture postgres)
{
    private const string Key = "a-key-of-this-form";

    [Fact]
    public async Task Credits_are_shown_before_and_after_and_added_once_for_a_form_that_is_sent_twice()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var path = $"/page/accounts/{PageFixture.Realm}/{user}";
        var before = await BalanceAsync(fixture, user);

        var asked = await browser.PostAsync($"{path}/allocate", ("amount", "2.5"), ("reason", "for the trouble"), ("key", Key));
        Assert.Contains("Nothing is changed yet", asked.Body, StringComparison.Ordinal);
        Assert.Equal(before, await BalanceAsync(fixture, user));

        foreach (var _ in (int[])[1, 2])
        {
            var done = await browser.PostAsync(
                $"{path}/allocate", ("amount", "2.5"), ("reason", "for the trouble"), ("key", Key), ("step", "do"));
            Assert.Equal($"{path}?done=allocated", done.Location!.PathAndQuery);
        }

        Assert.Equal(before + 2.5m, await BalanceAsync(fixture, user));
        var shown = await browser.GetAsync(path);
        Assert.Contains("for the trouble", shown.Body, StringComparison.Ordinal);
        Assert.Contains("page.allocate", shown.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_grant_gets_another_end_and_is_taken_back_once()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var path = $"/page/accounts/{PageFixture.Realm}/{user}";
        var end = DateTimeOffset.UtcNow.UtcDateTime.Date.AddDays(20);
        (string, string)[] form = [("grant", "signup"), ("reason", "as agreed"), ("key", Key)];

        var asked = await browser.PostAsync($"{path}/extend", [.. form, ("ends", $"{end:yyyy-MM-dd}")]);
        Assert.Contains("never", asked.Body, StringComparison.Ordinal);
        await browser.PostAsync($"{path}/extend", [.. form, ("ends", $"{end:yyyy-MM-dd}"), ("step", "do")]);
        Assert.Equal(end, await fixture.Database.ScalarAsync<DateTime>(
            "select expires_at at time zone 'UTC' from credit_grants where user_id = @user and grant_key = 'signup'", new { user }));

        Assert.Equal(HttpStatusCode.Redirect, (await browser.PostAsync($"{path}/void", [.. form, ("step", "do")])).Status);
        Assert.Equal(0m, await BalanceAsync(fixture, user));
        Assert.Equal(HttpStatusCode.Conflict, (await browser.PostAsync($"{path}/void", [.. form, ("step", "do")])).Status);
        var far = await browser.PostAsync($"{path}/extend", [.. form, ("ends", "2126-01-01"), ("step", "do")]);
        Assert.Equal(HttpStatusCode.BadRequest, far.Status);
    }

    [Fact]
    public async Task A_usage_is_refunded_from_the_timeline_and_no_more_than_it_took()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        await fixture.Database.ExecuteAsync(
            """
            with used as (
                update user_credits set credits_remaining = credits_remaining - 3 where user_id = @User returning credits_remaining)
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, provider)
            select @User, -3, credits_remaining, 'usage', 'chat' from used
            """,
            new { User = user });
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var path = $"/page/accounts/{PageFixture.Realm}/{user}";
        var usage = Regex.Match((await browser.GetAsync(path)).Body, "\\?usage=([0-9a-f-]{36})#refund").Groups[1].Value;
        Assert.NotEqual("", usage);

        var tooMuch = await RefundAsync("4", "first-key-of-a-form");
        Assert.Equal(HttpStatusCode.Conflict, tooMuch.Status);
        var right = await RefundAsync("3", "second-key-of-a-form");
        Assert.Equal(HttpStatusCode.Redirect, right.Status);
        Assert.Equal(
            ["refused", "success"],
            await fixture.Database.QueryAsync<string>("select result from audit_logs where action = 'page.refund' order by id"));

        Task<PageAnswer> RefundAsync(string amount, string key) => browser.PostAsync(
            $"{path}/refund", ("amount", amount), ("reason", "a wrong charge"), ("usage", usage), ("key", key), ("step", "do"));
    }

    [Fact]
    public async Task A_tier_is_switched_with_a_reason()
    {
        await using var fixture = await PageFixture.StartAsync(
            postgres, ("Provisioning:Tiers:gold:Credits", "100"), ("Provisioning:Tiers:trial:Credits", "5"));
        var user = await fixture.AddUserAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var answer = await browser.PostAsync(
            $"/page/accounts/{PageFixture.Realm}/{user}/switch", ("tier", "gold"), ("reason", "an upgrade"), ("key", Key), ("step", "do"));
        Assert.Equal(HttpStatusCode.Redirect, answer.Status);
        Assert.Equal(
            "gold", await fixture.Database.ScalarAsync<string>("select tier from user_credits where user_id = @user", new { user }));
    }

    [Theory]
    [InlineData("amount", "-1")]
    [InlineData("amount", "1e99")]
    [InlineData("amount", "0.0000001")]
    [InlineData("reason", "no")]
    public async Task A_mistake_is_named_at_its_field_and_the_form_stays_filled_in(string field, string value)
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        Dictionary<string, string> form = new() { ["amount"] = "1", ["reason"] = "a good reason", ["key"] = Key, ["step"] = "do" };
        form[field] = value;
        var answer = await browser.PostAsync(
            $"/page/accounts/{PageFixture.Realm}/{user}/allocate", [.. form.Select(item => (item.Key, item.Value))]);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains("role=\"alert\"", answer.Body, StringComparison.Ordinal);
        Assert.Contains(value, answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_viewer_tries_is_refused_and_audited()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        var screen = await browser.GetAsync($"/page/accounts/{PageFixture.Realm}/{user}");
        Assert.DoesNotContain("/allocate", screen.Body, StringComparison.Ordinal);
        var answer = await browser.PostAsync(
            $"/page/accounts/{PageFixture.Realm}/{user}/allocate", ("amount", "1"), ("reason", "because"), ("key", Key), ("step", "do"));
        Assert.Equal(HttpStatusCode.Forbidden, answer.Status);
        Assert.Equal(
            PageFixture.Viewer,
            await fixture.Database.ScalarAsync<string>(
                "select metadata ->> 'user_name' from audit_logs where action = 'page.allocate' and result = 'refused'"));
    }

    private static Task<decimal> BalanceAsync(PageFixture fixture, string user) =>
        fixture.Database.ScalarAsync<decimal>("select credits_remaining from user_credits where user_id = @user", new { user });
}
