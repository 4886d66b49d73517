using KeycloakCreditBridge.Grants.Referrals.Touches;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Referrals.Touches;

/// <summary>Which codes count.</summary>
public sealed class TouchTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_code_that_counts_stays()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob", "eve");
        await fixture.TouchAsync("eve", "eve");
        await fixture.TouchAsync("ana", "eve");
        await fixture.TouchAsync("bob", "eve");
        await fixture.TouchAsync("ana", "eve");
        Assert.Equal(["ana>eve touched", "eve>eve refused own_code"], await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task Circles_of_two_and_of_three_are_refused()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob", "eve");
        await fixture.TouchAsync("ana", "bob");
        await fixture.TouchAsync("bob", "ana");
        await fixture.TouchAsync("bob", "eve");
        await fixture.TouchAsync("eve", "ana");
        Assert.Equal(
            ["bob>ana refused circle", "eve>ana refused circle", "ana>bob touched", "bob>eve touched"], await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task Of_codes_given_in_a_circle_at_once_not_all_count()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob", "eve");
        await Task.WhenAll(fixture.TouchAsync("ana", "bob"), fixture.TouchAsync("bob", "eve"), fixture.TouchAsync("eve", "ana"));
        Assert.True(await fixture.Database.ScalarAsync<int>("select count(*)::int from referrals where state = 'touched'") < 3);
    }

    [Fact]
    public async Task Older_late_closed_and_unknown_ones_do_not_count()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob", "eve", "ida");
        await fixture.TouchAsync("bob", "ana");
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed' where user_id = 'ana'");
        var code = await fixture.Database.ScalarAsync<string>("select code from referral_codes");
        await fixture.Touches.TouchAsync("eve", code == "00000000" ? "00000001" : "00000000", fixture.Time.GetUtcNow(), Token);
        await fixture.Database.ExecuteAsync(
            "insert into referral_codes (user_id, code, created_at) values ('ana', '11111111', now())");
        await fixture.Touches.TouchAsync("eve", "11111111", fixture.Time.GetUtcNow(), Token);
        fixture.Time.Advance(TimeSpan.FromHours(25));
        await fixture.TouchAsync("bob", "ida");
        Assert.Equal(
            ["bob>ana refused referee_older", "ana>eve refused referrer_closed", "bob>ida refused too_late"],
            await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task An_account_of_another_realm_does_not_count()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob");
        await fixture.Database.ExecuteAsync("update user_credits set realm = 'other' where user_id = 'ana'");
        await fixture.TouchAsync("ana", "bob");
        Assert.Empty(await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task An_account_that_was_paid_for_a_referral_before_is_not_paid_again()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob", "eve");
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at, grant_key)
            values ('bob', 0, 100, 'bonus', now(), 'referral:received')
            """);
        await fixture.TouchAsync("ana", "bob");
        await fixture.TouchAsync("ana", "eve");
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at, grant_key)
            values ('eve', 0, 100, 'bonus', now(), 'referral:received')
            """);
        await fixture.SpendAsync("eve", 1m);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob refused already_received", "ana>eve canceled already_received"], await fixture.ReferralsAsync());
    }

    [Theory]
    [InlineData("7q2m-x9td", "7Q2MX9TD")]
    [InlineData("o1l i o-IL0", "01110110")]
    [InlineData("7Q2MX9T", null)]
    [InlineData("7Q2MX9TDA", null)]
    [InlineData("7Q2MX9TÜ", null)]
    [InlineData("7Q2MX9TU", null)]
    [InlineData("", null)]
    public void A_code_is_read_however_it_is_written(string text, string? code) => Assert.Equal(code, ReferralCode.Read(text));

    [Fact]
    public async Task An_account_has_one_code_however_many_ask_at_once()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana");
        var codes = await Task.WhenAll(Enumerable.Range(0, 16).Select(
            _ => fixture.Codes.OfAsync("ana", fixture.Time.GetUtcNow(), Token)));
        Assert.Equal(8, Assert.Single(codes.Distinct())!.Length);
    }
}
