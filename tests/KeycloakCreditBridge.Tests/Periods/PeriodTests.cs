using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Periods;

public sealed class PeriodTests(PostgresFixture postgres)
{
    private static PeriodsOptions Rollover => new() { Rollover = true, MaxRollover = 3m, MaxRolloverByTier = { ["starter"] = 1m } };

    [Fact]
    public async Task A_period_that_ended_forfeits_the_rest_and_grants_the_tiers_credits_in_two_rows()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 1.5m, "2026-11-30T08:00");
        await fixture.RunAsync();
        Assert.Equal(
            "5.00 of 5.00 until 2026-12-30 08:00 | adjustment forfeit:2026-11-30 -1.50 0.00 | bonus reset:2026-11-30 5.00 5.00",
            await fixture.PageAsync("ana"));
        Assert.Equal(
            [
                """{"tier": "trial", "takes": "Promotional", "reason": "period_ended"}""",
                """{"tier": "trial", "closes": "Promotional", "reason": "period_reset"}""",
            ],
            await fixture.Database.QueryAsync<string>(
                "select metadata::text from credit_transactions where grant_key is not null order by created_at"));
        Assert.Equal(
            """credit.reset success {"after": "", "until": "ana", "credits": 5.000000, "granted": 1, "accounts": """
            + """1, "forfeited": 1.500000}""",
            await fixture.Database.ScalarAsync<string>("select action || ' ' || result || ' ' || metadata::text from audit_logs"));
    }

    [Fact]
    public async Task Nothing_left_writes_no_row_of_forfeiture()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 0m, "2026-12-01T12:00");
        await fixture.RunAsync();
        Assert.Equal("5.00 of 5.00 until 2026-12-31 12:00 | bonus reset:2026-12-01 5.00 5.00", await fixture.PageAsync("ana"));
    }

    [Fact]
    public async Task A_period_that_goes_on_is_left_alone()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 1m, "2026-12-01T12:00:01");
        Assert.Equal((1, 0), await RunAsync(fixture));
        Assert.Equal("1.00 of 5.00 until 2026-12-01 12:00", await fixture.PageAsync("ana"));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from audit_logs"));
    }

    [Fact]
    public async Task A_debt_rolls_over_and_is_never_forgiven()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("deep", -7m, "2026-11-30");
        await fixture.AddAsync("shallow", -2m, "2026-11-30");
        await fixture.RunAsync();
        Assert.Equal("-2.00 of 5.00 until 2026-12-30 00:00 | bonus reset:2026-11-30 5.00 -2.00", await fixture.PageAsync("deep"));
        Assert.Equal("3.00 of 5.00 until 2026-12-30 00:00 | bonus reset:2026-11-30 5.00 3.00", await fixture.PageAsync("shallow"));
    }

    [Fact]
    public async Task Credits_roll_over_up_to_the_maximum_of_the_tier_or_else_of_all()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres, Rollover);
        await fixture.AddAsync("under", 2.5m, "2026-11-30");
        await fixture.AddAsync("over", 4m, "2026-11-30");
        await fixture.AddAsync("starter", 4m, "2026-11-30", "starter", 20m);
        await fixture.AddAsync("debtor", -4m, "2026-11-30");
        await fixture.RunAsync();
        Assert.Equal("7.50 of 5.00 until 2026-12-30 00:00 | bonus reset:2026-11-30 5.00 7.50", await fixture.PageAsync("under"));
        Assert.Equal(
            "8.00 of 5.00 until 2026-12-30 00:00 | adjustment forfeit:2026-11-30 -1.00 3.00 | bonus reset:2026-11-30 5.00 8.00",
            await fixture.PageAsync("over"));
        Assert.Equal(
            "21.00 of 20.00 until 2026-12-30 00:00 | adjustment forfeit:2026-11-30 -3.00 1.00 | bonus reset:2026-11-30 20.00 21.00",
            await fixture.PageAsync("starter"));
        Assert.Equal("1.00 of 5.00 until 2026-12-30 00:00 | bonus reset:2026-11-30 5.00 1.00", await fixture.PageAsync("debtor"));
    }

    [Fact]
    public async Task Without_a_maximum_all_credits_roll_over()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres, new PeriodsOptions { Rollover = true });
        await fixture.AddAsync("ana", 4_000m, "2026-11-30");
        await fixture.RunAsync();
        Assert.Equal("4005.00 of 5.00 until 2026-12-30 00:00 | bonus reset:2026-11-30 5.00 4005.00", await fixture.PageAsync("ana"));
    }

    [Fact]
    public async Task Of_an_unlimited_tier_only_the_date_moves()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("flag", -3m, "2026-11-30", "enterprise", 0m, unlimited: true);
        await fixture.AddAsync("adopted", 999_999.99m, "2026-11-30", "enterprise", 999_999.99m);
        await fixture.RunAsync();
        Assert.Equal("-3.00 of 0.00 until 2026-12-30 00:00", await fixture.PageAsync("flag"));
        Assert.Equal("999999.99 of 999999.99 until 2026-12-30 00:00", await fixture.PageAsync("adopted"));
    }

    [Fact]
    public async Task The_amount_is_the_tiers_current_one_and_the_last_one_of_a_removed_tier()
    {
        var options = new ProvisioningOptions();
        options.Tiers["trial"].Credits = 8m;
        await using var fixture = await PeriodFixture.StartAsync(postgres, provisioning: options);
        await fixture.AddAsync("raised", 0m, "2026-11-30");
        await fixture.AddAsync("removed", 0m, "2026-11-30", "beta", 12m);
        await fixture.RunAsync();
        Assert.StartsWith("8.00 of 8.00", await fixture.PageAsync("raised"), StringComparison.Ordinal);
        Assert.StartsWith("12.00 of 12.00", await fixture.PageAsync("removed"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task However_often_it_runs_a_period_is_granted_once_and_the_next_one_when_it_comes()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 5m, "2026-11-30");
        for (var run = 0; run < 3; run++)
            await fixture.RunAsync();
        fixture.Clock.Advance(TimeSpan.FromDays(30));
        for (var run = 0; run < 3; run++)
            await fixture.RunAsync();
        Assert.Equal(
            "5.00 of 5.00 until 2027-01-29 00:00 | adjustment forfeit:2026-11-30 -5.00 0.00 | bonus reset:2026-11-30 5.00 5.00"
            + " | adjustment forfeit:2026-12-30 -5.00 0.00 | bonus reset:2026-12-30 5.00 5.00",
            await fixture.PageAsync("ana"));
    }

    [Fact]
    public async Task After_three_missed_periods_one_reset_leads_into_the_current_period()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 1m, "2026-08-20T06:00");
        await fixture.AddAsync("edge", 0m, "2026-09-02T12:00");
        await fixture.RunAsync();
        Assert.Equal(
            "5.00 of 5.00 until 2026-12-18 06:00 | adjustment forfeit:2026-11-18 -1.00 0.00 | bonus reset:2026-11-18 5.00 5.00",
            await fixture.PageAsync("ana"));
        Assert.Equal("5.00 of 5.00 until 2026-12-31 12:00 | bonus reset:2026-12-01 5.00 5.00", await fixture.PageAsync("edge"));
    }

    [Fact]
    public async Task A_held_account_waits_and_gets_the_period_of_its_release_and_a_closed_one_nothing()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("held", 1m, "2026-09-01", status: "held");
        await fixture.AddAsync("closed", 1m, "2026-09-01", status: "closed");
        await fixture.RunAsync();
        Assert.Equal("1.00 of 5.00 until 2026-09-01 00:00", await fixture.PageAsync("held"));
        fixture.Clock.Advance(TimeSpan.FromDays(10));
        await fixture.Database.ExecuteAsync("update user_credits set status = 'active' where user_id = 'held'");
        await fixture.RunAsync();
        Assert.Equal(
            "5.00 of 5.00 until 2026-12-30 00:00 | adjustment forfeit:2026-11-30 -1.00 0.00 | bonus reset:2026-11-30 5.00 5.00",
            await fixture.PageAsync("held"));
        Assert.Equal("1.00 of 5.00 until 2026-09-01 00:00", await fixture.PageAsync("closed"));
    }

    [Fact]
    public async Task An_account_of_the_LLM_path_has_its_first_period_from_its_creation_on()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("fresh", 4m, "2026-11-20", created: "2026-11-20");
        await fixture.AddAsync("old", 4m, "2026-11-01", created: "2026-11-01");
        await fixture.RunAsync();
        Assert.Equal("4.00 of 5.00 until 2026-11-20 00:00", await fixture.PageAsync("fresh"));
        Assert.Equal(
            "5.00 of 5.00 until 2026-12-31 00:00 | adjustment forfeit:2026-12-01 -4.00 0.00 | bonus reset:2026-12-01 5.00 5.00",
            await fixture.PageAsync("old"));
    }

    [Fact]
    public async Task A_writer_that_sets_the_date_back_gets_no_second_grant_for_a_period_and_loses_nothing()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 0m, "2026-11-30");
        await fixture.RunAsync();
        await fixture.Database.ExecuteAsync("update user_credits set last_reset = '2026-11-30Z'");
        Assert.Equal((1, 1), await RunAsync(fixture));
        Assert.Equal((1, 0), await RunAsync(fixture));
        Assert.Equal("5.00 of 5.00 until 2026-12-30 00:00 | bonus reset:2026-11-30 5.00 5.00", await fixture.PageAsync("ana"));
    }

    [Fact]
    public async Task A_writer_that_sets_the_date_forward_keeps_the_account_from_being_reset()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 2m, "2026-11-30");
        await fixture.Database.ExecuteAsync("update user_credits set last_reset = '2026-12-24Z'");
        Assert.Equal((1, 0), await RunAsync(fixture));
        Assert.Equal("2.00 of 5.00 until 2026-12-24 00:00", await fixture.PageAsync("ana"));
    }

    [Fact]
    public async Task Accounts_without_dates_begin_a_period_now()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 2m, "2026-11-30");
        await fixture.Database.ExecuteAsync("update user_credits set last_reset = null, created_at = null");
        await fixture.RunAsync();
        await fixture.RunAsync();
        Assert.Equal(
            "5.00 of 5.00 until 2026-12-31 12:00 | adjustment forfeit:2026-12-01 -2.00 0.00 | bonus reset:2026-12-01 5.00 5.00",
            await fixture.PageAsync("ana"));
    }

    [Fact]
    public async Task An_account_that_cannot_hold_its_grant_stays_and_all_others_are_renewed()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres, new PeriodsOptions { Rollover = true });
        for (var number = 0; number < 20; number++)
            await fixture.AddAsync($"user-{number:00}", number is 7 or 19 ? 99_999_999_999_999m : 0m, "2026-11-30");
        await fixture.Database.ExecuteAsync("update user_credits set last_reset = '-infinity' where user_id = 'user-03'");
        var run = await fixture.RunAsync();
        Assert.Equal(["user-03", "user-07", "user-19"], run.Refused.Select(refused => refused.Account.UserId));
        Assert.Equal(17, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits where credits_remaining = 5"));
        Assert.Equal(17, await fixture.Database.ScalarAsync<int>("select sum((metadata ->> 'accounts')::int)::int from audit_logs"));
    }

    private static async Task<(long Walked, long Renewed)> RunAsync(PeriodFixture fixture)
    {
        var run = await fixture.RunAsync();
        return (run.Walked, run.Renewed);
    }
}
