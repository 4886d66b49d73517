using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Periods;

/// <summary>A period pays nothing of the welcome that a policy withholds.</summary>
public sealed class WithheldWelcomeTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData("trial", "trial", "1.00")]
    [InlineData("trial", "starter", "20.00")]
    [InlineData(null, "trial", "5.00")]
    public async Task A_period_of_the_opening_tier_pays_no_more_than_the_account_opened_with(
        string? withheldTier, string tier, string balance)
    {
        await using var fixture = await PeriodFixture.StartAsync(postgres);
        await fixture.AddAsync("ana", 1m, "2026-12-01 11:59", tier, 1m);
        if (withheldTier is not null)
        {
            await fixture.Database.ExecuteAsync(
                "update user_credits set withheld_credits = 4, withheld_before = 1, withheld_tier = @Tier", new { Tier = withheldTier });
        }

        await fixture.RunAsync();
        Assert.StartsWith($"{balance} of {balance}", await fixture.PageAsync("ana"), StringComparison.Ordinal);
    }
}
