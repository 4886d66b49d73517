using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Tests.Periods;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Booking;

/// <summary>What the end of a period takes.</summary>
public sealed class PeriodLotTests(PostgresFixture postgres)
{
    private const string BuySql =
        """
        with account as (update user_credits set credits_remaining = credits_remaining + @Amount where user_id = @Id)
        insert into credit_transactions (user_id, amount, transaction_type, created_at, metadata)
        values (@Id, @Amount, @Type, '2026-11-01', '{"source": "shop"}')
        """;

    [Theory]
    [InlineData("Keep", "15.00 of 5.00 until 2026-12-30 00:00 | adjustment forfeit:2026-11-30 -3.00 10.00 "
        + "| bonus reset:2026-11-30 5.00 15.00")]
    [InlineData("Forfeit", "5.00 of 5.00 until 2026-12-30 00:00 | adjustment forfeit:2026-11-30 -13.00 0.00 "
        + "| bonus reset:2026-11-30 5.00 5.00")]
    public async Task Bought_credits_stay_unless_they_are_forfeited_too(string bought, string page)
    {
        await using var fixture = await PeriodFixture.StartAsync(
            postgres, new PeriodsOptions { Bought = Enum.Parse<BoughtCredits>(bought) });
        await fixture.AddAsync("ana", 3m, "2026-11-30");
        await fixture.Database.ExecuteAsync(BuySql, new { Id = "ana", Amount = 10m, Type = "purchase" });
        await fixture.RunAsync();
        Assert.Equal(page, await fixture.PageAsync("ana"));
    }

    [Fact]
    public async Task A_bonus_is_forfeited_like_the_rest()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 3m, "2026-11-30");
        await fixture.Database.ExecuteAsync(BuySql, new { Id = "ana", Amount = 10m, Type = "bonus" });
        await fixture.RunAsync();
        Assert.StartsWith("5.00 of 5.00", await fixture.PageAsync("ana"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rollover_up_to_a_cap_takes_no_bought_credits()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres, new PeriodsOptions { Rollover = true, MaxRollover = 2m });
        await fixture.AddAsync("ana", 3m, "2026-11-30");
        await fixture.Database.ExecuteAsync(BuySql, new { Id = "ana", Amount = 10m, Type = "purchase" });
        await fixture.RunAsync();
        Assert.StartsWith("15.00 of 5.00", await fixture.PageAsync("ana"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Grants_with_an_end_are_closed_and_what_was_bought_with_one_keeps_it()
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 3m, "2026-11-30");
        await fixture.Database.ExecuteAsync(
            """
            with account as (
                update user_credits set credits_remaining = 12, next_expiry = '2027-01-05' where user_id = 'ana'),
            entry as (
                insert into credit_transactions (user_id, amount, transaction_type, grant_key, created_at, metadata)
                values ('ana', 5, 'bonus', 'gift', '2026-11-02', '{}'), ('ana', 4, 'purchase', 'pack', '2026-11-03', '{}'))
            insert into credit_grants (user_id, grant_key, amount, category, granted_at, expires_at)
            values ('ana', 'gift', 5, 'promotional', '2026-11-02', '2027-01-05'), ('ana', 'pack', 4, 'paid', '2026-11-03', '2027-02-01')
            """);
        await fixture.RunAsync();
        Assert.StartsWith("9.00 of 5.00", await fixture.PageAsync("ana"), StringComparison.Ordinal);
        Assert.Equal(
            ["gift period_ended", "pack open"],
            await fixture.Database.QueryAsync<string>(
                "select grant_key || ' ' || coalesce(close_reason, 'open') from credit_grants order by 1"));
        Assert.Equal(
            new DateTime(2027, 2, 1, 0, 0, 0, DateTimeKind.Utc),
            await fixture.Database.ScalarAsync<DateTime>("select next_expiry from user_credits"));
    }
}
