using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Referrals.Payments;

/// <summary>When a referral pays, and when it does not.</summary>
public sealed class ReferralBookTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Both_are_paid_once_what_qualified_stood_for_the_settling_time()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob");
        await fixture.TouchAsync("ana", "bob");
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob touched"], await fixture.ReferralsAsync());
        await fixture.SpendAsync("bob", 1m);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob pending"], await fixture.ReferralsAsync());
        fixture.Time.Advance(fixture.Terms.Settle - TimeSpan.FromSeconds(1));
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob pending"], await fixture.ReferralsAsync());
        fixture.Time.Advance(TimeSpan.FromSeconds(1));
        await fixture.EvaluateAsync();
        await fixture.EvaluateAsync();

        Assert.Equal(["ana>bob paid"], await fixture.ReferralsAsync());
        Assert.Equal(["ana referral:given:ID 5", "bob referral:received 3"], await fixture.GrantsAsync());
        Assert.Equal(["ana credit.grant", "bob credit.grant"], await fixture.Database.QueryAsync<string>(
            "select user_id || ' ' || action from audit_logs where metadata ->> 'policy' = 'referral' order by 1"));
    }

    [Fact]
    public async Task Credits_that_were_spent_and_refunded_do_not_qualify()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob", "eve");
        await fixture.TouchAsync("ana", "bob");
        await fixture.SpendAsync("bob", 5m);
        await fixture.RefundAsync("bob", 4.5m);
        await fixture.TouchAsync("ana", "eve");
        await fixture.SpendAsync("eve", 1m);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob touched", "ana>eve pending"], await fixture.ReferralsAsync());
        await fixture.RefundAsync("eve", 0.000001m);
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();

        Assert.Equal(["ana>bob touched", "ana>eve canceled not_met"], await fixture.ReferralsAsync());
        Assert.Empty(await fixture.GrantsAsync());
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select places from referrers"));
        fixture.Time.Advance(fixture.Terms.Within);
        await fixture.SpendAsync("bob", 5m);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob expired", "ana>eve canceled not_met"], await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task Usage_that_the_referees_own_token_booked_does_not_qualify()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob");
        await fixture.TouchAsync("ana", "bob");
        await fixture.SpendAsync("bob", 5m, by: "bob");
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob touched"], await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task An_address_that_is_not_verified_waits_and_one_that_is_not_verified_any_more_cancels()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob");
        fixture.Show("bob", isVerified: false);
        await fixture.TouchAsync("ana", "bob");
        await fixture.SpendAsync("bob", 2m);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob touched"], await fixture.ReferralsAsync());
        fixture.Show("bob", isVerified: true);
        fixture.Time.Advance(TimeSpan.FromMinutes(10));
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob pending"], await fixture.ReferralsAsync());
        fixture.Show("bob", isVerified: false);
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob canceled not_verified"], await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task The_same_inbox_and_an_unverified_referrer_are_refused()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob", "eve", "ida");
        fixture.Show("bob", isVerified: true, inbox: "ana@example.com");
        fixture.Show("eve", isVerified: false);
        await fixture.TouchAsync("ana", "bob");
        await fixture.TouchAsync("eve", "ida");
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob refused same_inbox", "eve>ida refused referrer_not_verified"], await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task A_held_account_is_paid_when_it_is_active_again_and_a_deleted_one_never()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob", "eve");
        foreach (var referee in (string[])["bob", "eve"])
        {
            await fixture.TouchAsync("ana", referee);
            await fixture.SpendAsync(referee, 1m);
        }

        await fixture.EvaluateAsync();
        await fixture.Database.ExecuteAsync(
            """
            update user_credits set status = 'held', status_reason = 'disabled' where user_id = 'bob';
            update user_credits set status = 'closed', status_reason = 'deleted' where user_id = 'eve'
            """);
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob held account_held", "ana>eve canceled referee_closed"], await fixture.ReferralsAsync());
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select places from referrers"));
        await fixture.Database.ExecuteAsync("update user_credits set status = 'active', status_reason = null where user_id = 'bob'");
        fixture.Time.Advance(TimeSpan.FromHours(1));
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob paid", "ana>eve canceled referee_closed"], await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task A_referrer_whose_referees_are_deleted_is_put_on_hold()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob", "eve", "ida", "tom");
        foreach (var referee in (string[])["bob", "eve", "ida", "tom"])
        {
            await fixture.TouchAsync("ana", referee);
            if (referee != "tom")
                await fixture.SpendAsync(referee, 1m);
        }

        await fixture.EvaluateAsync();
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        await fixture.SpendAsync("tom", 1m);
        await fixture.EvaluateAsync();
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed', status_reason = 'deleted' where user_id = 'bob'");
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        Assert.Equal(
            ["ana>bob paid", "ana>eve paid", "ana>ida paid", "ana>tom held referees_deleted"], await fixture.ReferralsAsync());
    }

    [Fact]
    public async Task A_user_that_is_deleted_and_registers_again_and_another_address_of_the_inbox_earn_nothing_again()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob");
        fixture.Show("bob", isVerified: true, inbox: "bob@gmail.com");
        await fixture.PayAsync("ana", "bob");
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed', status_reason = 'deleted' where user_id = 'bob'");
        foreach (var (id, inbox) in ((string, string)[])[("bob-again", "bob@gmail.com"), ("b.ob", "b.o.b+x@googlemail.com")])
        {
            await fixture.OpenAsync(id);
            fixture.Show(id, isVerified: true, inbox);
            await fixture.PayAsync("ana", id);
        }

        Assert.Equal(
            ["ana>b.ob canceled already_received", "ana>bob paid", "ana>bob-again canceled already_received"],
            await fixture.ReferralsAsync());
        Assert.Equal(["ana referral:given:ID 5", "bob referral:received 3"], await fixture.GrantsAsync());
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select places from referrers"));
    }

    [Fact]
    public async Task A_used_up_budget_still_pays_the_referee()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres, new ReferralOptions
        {
            ReferrerCredits = 5m, RefereeCredits = 3m, Budget = new RuleBudgetOptions { Credits = 9m, Per = BudgetPeriod.Total },
        });
        await fixture.OpenAsync("ana", "bob", "eve");
        foreach (var referee in (string[])["bob", "eve"])
            await fixture.TouchAsync("ana", referee);
        foreach (var referee in (string[])["bob", "eve"])
            await fixture.SpendAsync(referee, 1m);
        await fixture.EvaluateAsync();
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        Assert.Equal(
            ["capped budget_used_up", "paid"], await fixture.Database.QueryAsync<string>(
                "select concat_ws(' ', state, reason) from referrals order by state"));
        Assert.Equal([3m, 3m, 5m], await fixture.Database.QueryAsync<decimal>(
            "select amount from credit_transactions where grant_key like 'referral:%' order by amount"));
    }

    [Fact]
    public async Task A_reversal_takes_back_both_sides_once()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob");
        await fixture.PayAsync("ana", "bob");
        var id = await fixture.IdOfAsync("bob");
        var order = new ReversalOrder(id, ReferralSide.Both, "chargeback", "admin");
        var first = await fixture.Reversal.ReverseAsync(order, fixture.Terms, Token);
        var second = await fixture.Reversal.ReverseAsync(order, fixture.Terms, Token);
        Assert.Equal((ReversalOutcome.Done, 5m, 3m), (first.Outcome, first.FromReferrer, first.FromReferee));
        Assert.Equal((ReversalOutcome.Done, 0m, 0m), (second.Outcome, second.FromReferrer, second.FromReferee));
        Assert.Equal(["ana>bob reversed reversed"], await fixture.ReferralsAsync());
        Assert.Equal(
            [
                "ana referral:given:ID 5", "ana void:referral:given:ID -5", "bob referral:received 3", "bob void:referral:received -3",
            ],
            await fixture.GrantsAsync());
    }

    [Fact]
    public async Task A_reversal_before_the_payment_cancels_and_gives_the_place_back()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob");
        await fixture.TouchAsync("ana", "bob");
        await fixture.SpendAsync("bob", 1m);
        await fixture.EvaluateAsync();
        var order = new ReversalOrder(await fixture.IdOfAsync("bob"), ReferralSide.Both, "fraud", "admin");
        Assert.Equal(ReversalOutcome.Done, (await fixture.Reversal.ReverseAsync(order, fixture.Terms, Token)).Outcome);
        Assert.Equal(ReversalOutcome.IsOver, (await fixture.Reversal.ReverseAsync(order, fixture.Terms, Token)).Outcome);
        fixture.Time.Advance(fixture.Terms.Settle);
        await fixture.EvaluateAsync();
        Assert.Equal(["ana>bob canceled reversed"], await fixture.ReferralsAsync());
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select places from referrers"));
        Assert.Empty(await fixture.GrantsAsync());
    }
}
