using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Codes;

/// <summary>What a code pays, and which attempts are refused.</summary>
public sealed class RedeemTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_redemption_pays_once_and_stamps_what_decided_it()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana");
        var code = (await fixture.MakeAsync(
            CodeFixture.Campaign("spring") with { ExpiresAfter = TimeSpan.FromDays(30), Credits = 2.5m }))[0];
        var first = await fixture.TryAsync("ana", code.ToLowerInvariant().Replace('-', ' '));
        Assert.Equal(RedeemOutcome.Paid, first.Outcome);
        Assert.Equal(RedeemOutcome.PaidBefore, await fixture.RedeemAsync("ana", code));
        var grant = Assert.Single((await fixture.Grants.Book.ListAsync("ana", Token))!.Grants);
        Assert.Equal(
            (first.GrantKey, 2.5m, GrantFixture.Start.AddDays(30), "code:spring", "promotional", "code"),
            (grant.Key, grant.Remainder, grant.ExpiresAt, grant.Policy, grant.Category, grant.Reason));
        Assert.Contains("\"campaign\": \"spring\"", grant.Evidence, StringComparison.Ordinal);
        Assert.Equal(
            1, await fixture.Database.ScalarAsync<int>("select count(*)::int from audit_logs where action = 'credit.grant'"));
        fixture.Grants.Time.Advance(TimeSpan.FromDays(31));
        Assert.True(await fixture.Grants.Book.SettleAsync("ana", Token));
        Assert.Equal(RedeemOutcome.PaidBefore, await fixture.RedeemAsync("ana", code));
        Assert.Equal(0m, (await fixture.CountsAsync()).Credits);
    }

    [Fact]
    public async Task Every_refusal_leaves_the_same_and_pays_nothing()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana", "ben");
        fixture.Options.Codes.FailuresPerUser = 100;
        var now = fixture.Grants.Time.GetUtcNow();
        var used = (await fixture.MakeAsync(CodeFixture.Campaign("used")))[0];
        var early = (await fixture.MakeAsync(CodeFixture.Campaign("early") with { StartsAt = now.AddSeconds(10) }))[0];
        var ended = (await fixture.MakeAsync(CodeFixture.Campaign("ended") with { EndsAt = now.AddSeconds(5) }))[0];
        var disabled = (await fixture.MakeAsync(CodeFixture.Campaign("disabled")))[0];
        var other = (await fixture.MakeAsync(CodeFixture.Campaign("other") with { Realm = "shop" }))[0];
        var pair = await fixture.MakeAsync(CodeFixture.Campaign("pair", count: 2));
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("ben", used));
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("ana", pair[0]));
        Assert.Equal(1, await fixture.Campaigns.DisableAsync(CodeFixture.Realm, "disabled", null, "test", now, Token));
        fixture.Grants.Time.Advance(TimeSpan.FromSeconds(5));
        string[] refused = [used, early, ended, disabled, other, pair[1], "NO-SUCH-CODE", "\u0410BCD-EFGH", "   "];
        foreach (var (code, index) in refused.Select((code, index) => (code, index)))
        {
            Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync("ana", code));
            Assert.Equal(index + 1, await FailuresAsync(fixture));
        }

        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed' where user_id = 'ben'");
        Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync("ben", pair[1]));
        Assert.Equal((2, 2, 2, 10m), await fixture.CountsAsync());
        fixture.Grants.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("ana", early));
    }

    [Fact]
    public async Task A_user_that_failed_too_often_waits_also_with_a_good_code()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana", "ben");
        var code = (await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 9)))[0];
        for (var guess = 0; guess < 5; guess++)
        {
            Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync("ana", $"guess-{guess}"));
            fixture.Grants.Time.Advance(TimeSpan.FromMinutes(1));
        }

        var limited = await fixture.TryAsync("ana", code);
        Assert.Equal((RedeemOutcome.UserLimited, TimeSpan.FromMinutes(10)), (limited.Outcome, limited.Wait));
        Assert.Equal(RedeemOutcome.UserLimited, await fixture.RedeemAsync("ana", "guess"));
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("ben", code));
        Assert.Equal(5, await FailuresAsync(fixture));
        fixture.Grants.Time.Advance(limited.Wait);
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("ana", code));
    }

    [Theory]
    [InlineData("203.0.113.7", "203.0.113.200", "203.0.114.7")]
    [InlineData("2001:db8:1:2::7", "2001:db8:1:2:ffff::9", "2001:db8:1:3::7")]
    [InlineData("::ffff:203.0.113.7", "203.0.113.200", "203.0.114.7")]
    public async Task Beyond_the_limit_of_a_network_failures_are_limited_and_good_codes_pay(string address, string near, string far)
    {
        string[] users = [.. Enumerable.Range(1, 22).Select(number => $"user-{number}")];
        await using var fixture = await CodeFixture.CreateAsync(postgres, users);
        var code = (await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 9)))[0];
        foreach (var user in users[..20])
            Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync(user, "guess", address));
        Assert.Equal(RedeemOutcome.NetworkLimited, await fixture.RedeemAsync("user-21", "guess", near));
        Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync("user-21", "guess", far));
        Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync("user-21", "guess"));
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("user-21", code, near));
        Assert.Equal(
            22, await fixture.Database.ScalarAsync<int>("select count(*)::int from code_failures where length(network) = 32"));
    }

    [Fact]
    public async Task Beyond_the_limit_of_a_realm_failures_are_limited_and_old_ones_are_forgotten()
    {
        string[] users = [.. Enumerable.Range(1, 20).Select(number => $"user-{number}")];
        await using var fixture = await CodeFixture.CreateAsync(postgres, users);
        var code = (await fixture.MakeAsync(CodeFixture.Campaign("spring")))[0];
        for (var guess = 0; guess < 60; guess++)
            Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync(users[guess % 15], "guess"));
        Assert.Equal(RedeemOutcome.RealmLimited, await fixture.RedeemAsync("user-19", "guess"));
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("user-19", code));
        fixture.Grants.Time.Advance(TimeSpan.FromHours(1));
        for (var guess = 0; guess < 8; guess++)
            Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync(users[guess], "guess"));
        Assert.Equal(8, await FailuresAsync(fixture));
    }

    [Fact]
    public async Task A_void_takes_what_is_left_and_gives_the_place_back_only_where_asked()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana", "ben", "eve");
        var code = (await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 2)))[0];
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("ana", code));
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("ben", code));
        await fixture.Grants.SpendAsync("ana", 2m);
        var order = new CampaignVoid(CodeFixture.Realm, "spring", VoidReach.Stop, "leaked", Release: true, null, "test");
        Assert.Equal(new VoidedCampaign(2, 10m, 0, 0m, 0), await fixture.Voider.VoidAsync(order, Token));
        Assert.Equal(new VoidedCampaign(2, 10m, 0, 0m, 0), await fixture.Voider.VoidAsync(order with { Confirmed = 1 }, Token));
        Assert.Equal(new VoidedCampaign(2, 10m, 2, 8m, 0), await fixture.Voider.VoidAsync(order with { Confirmed = 2 }, Token));
        Assert.Equal(new VoidedCampaign(0, 0m, 0, 0m, 0), await fixture.Voider.VoidAsync(order with { Confirmed = 0 }, Token));
        // The account had its turn, and another one takes the place.
        Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync("ana", code));
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("eve", code));
        Assert.Equal(1, (await fixture.CountsAsync()).Taken);
        Assert.Equal(1, (await fixture.Voider.VoidAsync(order with { Release = false, Confirmed = 1 }, Token)).Voided);
        Assert.Equal(1, (await fixture.CountsAsync()).Taken);
    }

    [Fact]
    public async Task The_table_itself_holds_the_cap_whatever_a_program_does()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres);
        await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 2));
        foreach (var redeemed in (int[])[3, -1])
        {
            var exception = await Assert.ThrowsAsync<Npgsql.PostgresException>(
                () => fixture.Database.ExecuteAsync("update codes set redeemed = @Redeemed", new { Redeemed = redeemed }));
            Assert.Equal("codes_within_cap", exception.ConstraintName);
        }
    }

    private static Task<int> FailuresAsync(CodeFixture fixture) =>
        fixture.Database.ScalarAsync<int>("select count(*)::int from code_failures");
}
