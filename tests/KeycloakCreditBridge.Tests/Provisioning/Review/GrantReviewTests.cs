using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Review;

/// <summary>Grants of users that a signal speaks against: here a second account of one inbox.</summary>
public sealed class GrantReviewTests(PostgresFixture postgres)
{
    private static readonly (string, string?)[] On = [("Grants:Fraud:Enabled", "true"), ("Grants:Fraud:Key", new string('f', 32))];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static Subject First => User("ana", "ana.b@gmail.com");

    private static Subject Second => User("bob", "anab+2@gmail.com");

    [Fact]
    public async Task An_opening_grant_is_held_and_the_account_stands_with_nothing()
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(postgres, On);
        await fixture.ReadAsync(First);
        await fixture.ReadAsync(Second);
        for (var readings = 0; readings < 2; readings++)
            await fixture.ReadAsync(First, Second);
        Assert.Equal(["ana signup 5.00", "bob signup 0.00"], await fixture.LedgerAsync());
        Assert.Equal(["bob welcome 5.00 held"], await fixture.HoldsAsync());
        Assert.Equal("active", await fixture.Database.ScalarAsync<string>("select status from user_credits where user_id = 'bob'"));
        var hold = (await fixture.List.ListAsync(new HoldFilter([HoldFixture.Realm]), 10, Token)).Single();
        Assert.Equal(40, hold.Score);
        Assert.DoesNotContain("gmail", await fixture.Database.ScalarAsync<string>("select h::text from grant_holds h"));
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(hold.Id, HoldState.Approved));
        Assert.Equal(5m, await fixture.BalanceAsync("bob"));
    }

    [Fact]
    public async Task An_account_has_what_the_settings_say_while_it_is_held_and_a_score_can_refuse()
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(
            postgres, [.. On, ("Grants:Fraud:WhileHeld", "1"), ("Grants:Fraud:Refuse", "40")]);
        await fixture.ReadAsync(First);
        await fixture.ReadAsync(Second);
        Assert.Equal(["bob welcome 4.00 rejected score"], await fixture.HoldsAsync());
        await fixture.ReadAsync(Second);
        Assert.Equal(1m, await fixture.BalanceAsync("bob"));
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from grant_holds"));
    }

    [Fact]
    public async Task Without_review_nothing_is_held_and_nothing_is_kept()
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(postgres);
        await fixture.ReadAsync(First);
        await fixture.ReadAsync(Second);
        Assert.Equal(["ana signup 5.00", "bob signup 5.00"], await fixture.LedgerAsync());
        Assert.Empty(await fixture.HoldsAsync());
    }

    [Fact]
    public async Task A_user_who_paid_is_never_held()
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(
            postgres, [.. On, ("Grants:Tasks:mail:Evidence:EmailVerified", "true"), ("Grants:Tasks:mail:Credits", "2")]);
        await fixture.ReadAsync(First with { EmailVerified = false });
        await fixture.ReadAsync(Second with { EmailVerified = false });
        await fixture.Database.ExecuteAsync(
            """
            with paid as (update user_credits set credits_remaining = credits_remaining + 10 where user_id = 'bob' returning *)
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
            select user_id, 10, credits_remaining, 'purchase', '{}', updated_at from paid
            """);
        await fixture.ReadAsync(Second);
        Assert.Equal(["bob welcome 5.00 held"], await fixture.HoldsAsync());
        Assert.Equal(12m, await fixture.BalanceAsync("bob"));
    }

    [Fact]
    public async Task A_user_of_whom_only_the_id_is_known_opens_with_nothing_until_Keycloak_was_read()
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(postgres, On);
        await fixture.ReadAsync(new Subject(HoldFixture.Realm, "ana", true, false, Start));
        Assert.Equal(["ana signup 0.00"], await fixture.LedgerAsync());
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
        Assert.Empty(await fixture.HoldsAsync());
        await fixture.ReadAsync(First with { IsReadInFull = true });
        Assert.Equal(5m, await fixture.BalanceAsync("ana"));
    }

    [Fact]
    public async Task An_exemption_that_was_not_read_yet_is_asked_for_before_anything_is_held()
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(postgres, [.. On, ("Grants:Fraud:Exempt:Groups:0", "/staff")]);
        await fixture.ReadAsync(First);
        await fixture.ReadAsync(Second);
        Assert.Empty(await fixture.HoldsAsync());
        Assert.Equal(0m, await fixture.BalanceAsync("bob"));
        await fixture.ReadAsync(Second with { IsReadInFull = true, Groups = ["/staff"] });
        Assert.Empty(await fixture.HoldsAsync());
        Assert.Equal(5m, await fixture.BalanceAsync("bob"));
    }

    [Fact]
    public async Task A_task_is_held_for_itself_and_a_complete_run_does_not_come_back_to_it()
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(
            postgres, [.. On, ("Grants:Tasks:mail:Evidence:EmailVerified", "true"), ("Grants:Tasks:mail:Credits", "2")]);
        await fixture.ReadAsync(First);
        await fixture.ReadAsync(Second);
        Assert.Equal(
            ["bob task:mail 2.00 held", "bob welcome 5.00 held"], (await fixture.HoldsAsync()).Order(StringComparer.Ordinal));
        var policy = fixture.Services.GetRequiredService<Hot<GrantPolicy>>().Current;
        Assert.Empty(await fixture.Services.GetRequiredService<AccountReviewStore>().DifferencesAsync(
            [.. new[] { First, Second }.Select(user => policy.Evaluate(user, fixture.Time.GetUtcNow(), HintSources.Webhook))], Token));
        var holds = await fixture.List.ListAsync(new HoldFilter([HoldFixture.Realm]) { Policy = "task:mail" }, 10, Token);
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(holds.Single().Id, HoldState.Approved));
        Assert.Equal(2m, await fixture.BalanceAsync("bob"));
        Assert.Equal(
            ["bob task:mail 2.00 approved operator", "bob welcome 5.00 held"],
            (await fixture.HoldsAsync()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_code_s_place_stays_taken_while_it_is_held_and_an_appeal_takes_one_again()
    {
        await using var fixture = await HoldFixture.CreatePlainAsync(postgres, [.. On, ("Grants:Codes:Key", new string('c', 32))]);
        await fixture.ReadAsync(First);
        await fixture.ReadAsync(Second);
        await fixture.Services.GetRequiredService<CampaignMaker>().CreateAsync(
            new NewCampaign(HoldFixture.Realm, "spring", 3m, TimeSpan.FromDays(10), null, null, [], 1, 2, "SPRING-2027", "test"), Token);
        foreach (var user in new[] { First, Second })
        {
            await fixture.Services.GetRequiredService<CodeRedeemer>().RedeemAsync(
                new RedeemingUser(HoldFixture.Realm, user.KeycloakId, null), null, "SPRING-2027", Token);
            await fixture.ReadAsync(user);
            await fixture.ReadAsync(user);
        }

        Assert.Equal((8m, 0m, 2L), (await fixture.BalanceAsync("ana"), await fixture.BalanceAsync("bob"), await TakenAsync()));
        var hold = (await fixture.List.ListAsync(new HoldFilter([HoldFixture.Realm]) { Policy = "code:spring" }, 10, Token)).Single();
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(hold.Id, HoldState.Rejected));
        Assert.Equal(1, await TakenAsync());
        Assert.Equal(AppealOutcome.Done, await fixture.Book.AppealAsync("bob", hold.GrantKey, "Please.", Token));
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(hold.Id, HoldState.Approved));
        Assert.Equal((3m, 2L), (await fixture.BalanceAsync("bob"), await TakenAsync()));
        Assert.Equal(
            ["ana paid", "bob paid"],
            await fixture.Database.QueryAsync<string>("select user_id || ' ' || state from code_redemptions order by user_id"));

        Task<long> TakenAsync() => fixture.Database.ScalarAsync<long>("select redeemed from codes");
    }
}
