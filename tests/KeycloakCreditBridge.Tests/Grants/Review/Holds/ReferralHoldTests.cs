using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Grants.Referrals;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Review.Holds;

/// <summary>Referrals whose referee a signal speaks against. Each referrer has one place.</summary>
public sealed class ReferralHoldTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_held_referral_keeps_its_place_and_an_approval_pays_both()
    {
        await using var fixture = await StartAsync();
        await HoldAsync(fixture);
        await QualifyAsync(fixture, "eve");
        Assert.Equal(["ana>bob held in_review", "ana>eve capped no_place"], await fixture.ReferralsAsync());
        Assert.Equal(["bob referral:received 3.00 held"], await HoldsAsync(fixture));
        for (var hours = 0; hours < 3; hours++)
            await LaterAsync(fixture);
        Assert.Equal(("held", 1), (await StateAsync(fixture), await PlacesAsync(fixture)));

        Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Approved));
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob paid", "ana>eve capped no_place"], await fixture.ReferralsAsync());
        Assert.Equal(
            ["ana referral:given:ID 5", "bob referral:received 3", "eve referral:received 3"], await fixture.GrantsAsync());
        Assert.Equal(DecisionOutcome.Changed, await DecideAsync(fixture, HoldState.Rejected));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refused_referral_gives_its_place_back_and_an_approved_appeal_pays_both(bool isRefusedAtOnce)
    {
        await using var fixture = await StartAsync();
        await RefuseAsync(fixture, isRefusedAtOnce);
        Assert.Equal(0, await PlacesAsync(fixture));
        Assert.Equal(AppealOutcome.Done, await fixture.Holds.AppealAsync("bob", "referral:received", "Please.", Token));
        await LaterAsync(fixture);
        Assert.Equal(("canceled", 0), (await StateAsync(fixture), await PlacesAsync(fixture)));
        Assert.Empty(await fixture.GrantsAsync());

        Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Approved));
        Assert.Equal(("held", 1), (await StateAsync(fixture), await PlacesAsync(fixture)));
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob paid"], await fixture.ReferralsAsync());
        Assert.Equal(["ana referral:given:ID 5", "bob referral:received 3"], await fixture.GrantsAsync());
        Assert.Equal(1, await PlacesAsync(fixture));
    }

    [Fact]
    public async Task Where_the_referrer_has_no_place_left_an_approved_appeal_pays_the_referee_alone()
    {
        await using var fixture = await StartAsync();
        await RefuseAsync(fixture);
        await QualifyAsync(fixture, "eve");
        await fixture.Holds.AppealAsync("bob", "referral:received", "Please.", Token);
        Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Approved));
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob capped no_place", "ana>eve paid"], await fixture.ReferralsAsync());
        Assert.Equal(
            ["ana referral:given:ID 5", "bob referral:received 3", "eve referral:received 3"], await fixture.GrantsAsync());
    }

    [Fact]
    public async Task A_rejected_appeal_leaves_it_canceled_and_what_was_canceled_otherwise_is_not_reopened()
    {
        await using var fixture = await StartAsync();
        await RefuseAsync(fixture);
        await fixture.Holds.AppealAsync("bob", "referral:received", "Please.", Token);
        Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Rejected));
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob canceled review_refused"], await fixture.ReferralsAsync());

        await fixture.OpenAsync("tom");
        await HoldAsync(fixture, "eve", "tom");
        await fixture.Reversal.ReverseAsync(
            new ReversalOrder(await fixture.IdOfAsync("eve"), ReferralSide.Both, "fraud", "admin"), fixture.Terms, Token);
        Assert.Equal(DecisionOutcome.NotPayable, await DecideAsync(fixture, HoldState.Approved, "eve"));
        Assert.Equal(["ana>bob canceled review_refused", "tom>eve canceled reversed"], await fixture.ReferralsAsync());
        Assert.Empty(await fixture.GrantsAsync());
    }

    [Fact]
    public async Task An_appeal_before_the_refusal_was_carried_out_keeps_the_place()
    {
        await using var fixture = await StartAsync();
        await HoldAsync(fixture);
        Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Rejected));
        await fixture.Holds.AppealAsync("bob", "referral:received", "Please.", Token);
        await LaterAsync(fixture);
        Assert.Equal(("held", 1), (await StateAsync(fixture), await PlacesAsync(fixture)));
        Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Approved));
        await fixture.EvaluateAsync();
        Assert.Equal(["ana referral:given:ID 5", "bob referral:received 3"], await fixture.GrantsAsync());
    }

    [Fact]
    public async Task An_approved_appeal_pays_nothing_for_credits_that_were_refunded_meanwhile()
    {
        await using var fixture = await StartAsync();
        await RefuseAsync(fixture);
        await fixture.RefundAsync("bob", 1m);
        await fixture.Holds.AppealAsync("bob", "referral:received", "Please.", Token);
        Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Approved));
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob canceled not_met"], await fixture.ReferralsAsync());
        Assert.Equal(0, await PlacesAsync(fixture));
        Assert.Empty(await fixture.GrantsAsync());
    }

    [Fact]
    public async Task Of_two_held_referees_of_one_inbox_the_second_approval_is_refused()
    {
        await using var fixture = await StartAsync(places: 5);
        await HoldAsync(fixture, inbox: "bob@gmail.com");
        await HoldAsync(fixture, "eve", inbox: "b.ob+2@googlemail.com");
        Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Approved));
        Assert.Equal(DecisionOutcome.InboxTaken, await DecideAsync(fixture, HoldState.Approved, "eve"));
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob paid", "ana>eve held in_review"], await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task Approvals_of_appeals_and_new_referees_at_once_never_pass_the_cap()
    {
        await using var fixture = await StartAsync(places: 2);
        string[] refused = ["bob", "eve", "ida", "tom"];
        foreach (var referee in refused)
        {
            await RefuseAsync(fixture, referee: referee);
            await fixture.Holds.AppealAsync(referee, "referral:received", "Please.", Token);
        }

        foreach (var referee in (string[])["uma", "vic", "wim"])
        {
            await fixture.OpenAsync(referee);
            await fixture.TouchAsync("ana", referee);
            await fixture.SpendAsync(referee, 1m);
        }

        await Parallel.ForEachAsync(
            [.. refused, "uma", "vic", "wim"], new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Token },
            async (referee, _) =>
            {
                if (refused.Contains(referee))
                    Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Approved, referee));
                await fixture.EvaluateAsync(await fixture.IdOfAsync(referee));
            });
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        Assert.Equal(["capped 5", "paid 2"], await fixture.Database.QueryAsync<string>(
            "select state || ' ' || count(*) from referrals group by state order by 1"));
        Assert.Equal(2, await PlacesAsync(fixture));
        Assert.Equal(9, (await fixture.GrantsAsync()).Count);
    }

    private async Task<ReferralFixture> StartAsync(int places = 1)
    {
        var fixture = await ReferralFixture.StartAsync(postgres, new ReferralOptions
        {
            ReferrerCredits = 5m, RefereeCredits = 3m, MostPerReferrer = places, MostIn30Days = places,
        });
        await fixture.OpenAsync("ana");
        return fixture;
    }

    // The code is given on the day of the registration.
    private static async Task QualifyAsync(ReferralFixture fixture, string referee, string referrer = "ana", string? inbox = null)
    {
        await fixture.OpenAsync(referee);
        if (inbox is not null)
            fixture.Show(referee, isVerified: true, inbox);
        await fixture.TouchAsync(referrer, referee);
        await fixture.SpendAsync(referee, 1m);
        await fixture.EvaluateAsync();
    }

    private static async Task HoldAsync(
        ReferralFixture fixture, string referee = "bob", string referrer = "ana", bool isRefusedAtOnce = false, string? inbox = null)
    {
        fixture.Suspect(referee, isRefusedAtOnce);
        await QualifyAsync(fixture, referee, referrer, inbox);
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
    }

    private static async Task RefuseAsync(ReferralFixture fixture, bool isRefusedAtOnce = false, string referee = "bob")
    {
        await HoldAsync(fixture, referee, isRefusedAtOnce: isRefusedAtOnce);
        if (!isRefusedAtOnce)
            Assert.Equal(DecisionOutcome.Done, await DecideAsync(fixture, HoldState.Rejected, referee));
        await fixture.EvaluateAsync();
        Assert.Equal("canceled review_refused", await fixture.Database.ScalarAsync<string>(
            "select state || ' ' || reason from referrals where referee = @referee", new { referee }));
    }

    private static async Task LaterAsync(ReferralFixture fixture)
    {
        fixture.Time.Advance(TimeSpan.FromHours(1));
        await fixture.EvaluateAsync();
    }

    private static async Task<DecisionOutcome> DecideAsync(ReferralFixture fixture, HoldState to, string referee = "bob")
    {
        var (id, version) = (await fixture.Database.QueryAsync<(Guid, int)>(
            "select id, version from grant_holds where user_id = @referee", new { referee })).Single();
        return (await fixture.Holds.DecideAsync(new HoldDecision(id, version, to, "operator"), null, Token)).Outcome;
    }

    private static Task<IReadOnlyList<string>> HoldsAsync(ReferralFixture fixture) => fixture.Database.QueryAsync<string>(
        "select concat_ws(' ', user_id, grant_key, credits::numeric(9, 2), state) from grant_holds order by user_id");

    private static Task<string> StateAsync(ReferralFixture fixture) =>
        fixture.Database.ScalarAsync<string>("select state from referrals where referee = 'bob'")!;

    private static Task<int> PlacesAsync(ReferralFixture fixture) =>
        fixture.Database.ScalarAsync<int>("select places from referrers where user_id = 'ana'");
}
