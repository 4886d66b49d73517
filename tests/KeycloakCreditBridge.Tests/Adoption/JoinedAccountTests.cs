using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Adoption;

/// <summary>What becomes of the properties of several accounts of one user, and of the order of the ledger.</summary>
public sealed class JoinedAccountTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData(true, false, true, false)]
    [InlineData(false, true, false, false)]
    [InlineData(false, true, true, true)]
    public async Task Joined_accounts_have_tier_period_and_pro_rating_of_the_largest_allocation_and_a_grant_that_waits_in_all(
        bool keepsId, bool waits, bool otherWaits, bool expected)
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("tom", "tom@example.com");
        var (greatest, other) = keepsId ? ("tom", "tom@example.com") : ("tom@example.com", "tom");
        await fixture.Database.OpenAsync(greatest, 20m, opening: 20m, tier: "starter");
        await fixture.Database.OpenAsync(other, 5m);
        await fixture.Database.MigrateAsync();
        await fixture.Database.ExecuteAsync(
            """
            update user_credits set created_at = '2026-03-01', last_reset = '2026-03-31', pro_rated_until = '2026-03-31',
                pro_rated_credits = 20, pro_rated_debt = 1, grant_pending = @waits where user_id = @greatest;
            update user_credits set created_at = '2026-01-01', last_reset = '2026-01-01', pro_rated_until = '2026-01-31',
                pro_rated_credits = 5, pro_rated_debt = 3, grant_pending = @otherWaits where user_id = @other;
            """,
            new { greatest, other, waits, otherWaits });

        await fixture.ApplyAsync();

        Assert.Equal(
            $"tom starter 2026-03-01 2026-03-31 2026-03-31 20 1 {(expected ? "t" : "f")}",
            await fixture.Database.ScalarAsync<string>(
                """
                select concat_ws(' ', user_id, tier, created_at::date, last_reset::date, pro_rated_until::date, pro_rated_credits::int,
                    pro_rated_debt::int, grant_pending)
                from user_credits
                """));
        await fixture.AssertBooksAsync();
    }

    [Theory]
    [InlineData("tom")]
    [InlineData("tom@example.com")]
    public async Task An_operators_hold_of_one_of_several_accounts_stays(string held)
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("tom", "tom@example.com");
        await fixture.Database.OpenAsync("tom", 5m);
        await fixture.Database.OpenAsync("tom@example.com", 20m, opening: 20m);
        await fixture.Database.MigrateAsync();
        await fixture.Database.ExecuteAsync(
            "update user_credits set status = 'held', status_reason = 'fraud' where user_id = @held", new { held });
        await fixture.ApplyAsync();
        Assert.Equal("held fraud", await fixture.Database.ScalarAsync<string>("select status || ' ' || status_reason from user_credits"));
    }

    [Fact]
    public async Task A_grant_that_waited_for_a_verified_address_is_an_opening_and_counts_once_beside_that_of_the_users_other_account()
    {
        (string, string?)[] oncePerEmail =
            [("Provisioning:SignupGrant:OncePer", "Email"), ("Provisioning:SignupGrant:EmailKey", new string('k', 32))];
        await using var scene = await AdoptionFixture.StartAsync(postgres);
        scene.AddUser("ann", "ann@example.com", verified: false);
        scene.AddUser("ben", "ben@example.com", verified: false);
        await scene.Database.OpenAsync("ann@example.com", 5m);
        await scene.ApplyAsync(false, oncePerEmail);
        await using (var bridge = scene.NewBridge(oncePerEmail))
        {
            await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);
            scene.Realm.ChangeUser("ann", user => user with { EmailVerified = true });
            scene.Realm.ChangeUser("ben", user => user with { EmailVerified = true });
            await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);
        }

        Assert.Equal(["ann 5.00 of ann", "ann@example.com 5.00", "ben 5.00 of ben"], await scene.AccountsAsync());

        var report = await scene.ApplyAsync(false, oncePerEmail);

        Assert.Equal(["ann 5.00 of ann", "ben 5.00 of ben"], await scene.AccountsAsync());
        Assert.Equal(5m, report.Totals.TakenBack);
        Assert.DoesNotContain(report.Findings, finding => finding.Name == "repeated_openings");
        await scene.AssertBooksAsync();
        Assert.Equal(0, (await scene.PlanAsync(oncePerEmail)).Totals.Due);
    }

    [Fact]
    public async Task Adopted_rows_stand_in_the_ledger_in_the_order_of_booking()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("tom", "tom@example.com");
        fixture.AddUser("ben", "ben@example.com");
        await fixture.Database.OpenAsync("ben", 3m, openings: 0, used: 1m);
        await fixture.Database.OpenAsync("tom", 1m, openings: 0, used: 7m);
        await fixture.Database.OpenAsync("tom@example.com", 9m, openings: 0);
        await fixture.Database.MigrateAsync();
        // The last booking of each is a moment ahead of this clock.
        await fixture.Database.ExecuteAsync("update user_credits set updated_at = now() + interval '30 seconds'");

        await fixture.ApplyAsync();

        Assert.Equal(
            ["ben 1 t", "tom 2 t"],
            await fixture.Database.QueryAsync<string>(
                """
                select format('%s %s %s', c.user_id, count(distinct t.created_at) - 1,
                    max(t.created_at) = c.updated_at and (array_agg(t.balance_after order by t.created_at desc))[1] = c.credits_remaining)
                from user_credits c join credit_transactions t on t.user_id = c.user_id
                group by c.user_id, c.updated_at, c.credits_remaining order by 1
                """));
    }
}
