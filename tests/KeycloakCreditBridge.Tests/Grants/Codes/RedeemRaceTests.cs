using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Codes;

/// <summary>Many redeem at once, and no cap is passed by one.</summary>
public sealed class RedeemRaceTests(PostgresFixture postgres)
{
    private const int Connections = 16;

    [Fact]
    public async Task Of_many_users_at_once_exactly_as_many_are_paid_as_the_code_has_places()
    {
        string[] users = [.. Enumerable.Range(1, 400).Select(number => $"user-{number}")];
        await using var fixture = await CodeFixture.CreateAsync(postgres, users);
        var code = (await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 100)))[0];
        var outcomes = await InParallelAsync(users, user => fixture.RedeemAsync(user, code));
        Assert.Equal(100, outcomes.Count(outcome => outcome == RedeemOutcome.Paid));
        Assert.Equal((100, 100, 100, 500m), await fixture.CountsAsync());
    }

    [Fact]
    public async Task A_user_that_redeems_many_times_at_once_is_paid_once_and_takes_one_place()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana", "ben");
        var code = (await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 100)))[0];
        var outcomes = await InParallelAsync(
            [.. Enumerable.Range(0, 60)], number => fixture.RedeemAsync(number % 2 == 0 ? "ana" : "ben", code));
        Assert.Equal(2, outcomes.Count(outcome => outcome == RedeemOutcome.Paid));
        Assert.Equal(58, outcomes.Count(outcome => outcome == RedeemOutcome.PaidBefore));
        Assert.Equal((2, 2, 2, 10m), await fixture.CountsAsync());
    }

    [Fact]
    public async Task A_user_that_redeems_all_codes_of_a_campaign_at_once_gets_one()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana");
        fixture.Options.Codes.FailuresPerUser = 100;
        var codes = await fixture.MakeAsync(CodeFixture.Campaign("letter", count: 40));
        var outcomes = await InParallelAsync(codes, code => fixture.RedeemAsync("ana", code));
        Assert.Equal(1, outcomes.Count(outcome => outcome == RedeemOutcome.Paid));
        Assert.Equal((1, 1, 1, 5m), await fixture.CountsAsync());
    }

    [Fact]
    public async Task Guesses_of_one_user_at_once_are_as_many_as_the_limit()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana");
        await fixture.MakeAsync(CodeFixture.Campaign("spring"));
        var outcomes = await InParallelAsync([.. Enumerable.Range(0, 80)], number => fixture.RedeemAsync("ana", $"guess-{number}"));
        Assert.Equal(5, outcomes.Count(outcome => outcome == RedeemOutcome.Refused));
        Assert.Equal(75, outcomes.Count(outcome => outcome == RedeemOutcome.UserLimited));
    }

    [Fact]
    public async Task Places_that_are_given_back_while_users_redeem_are_taken_once()
    {
        string[] users = [.. Enumerable.Range(1, 200).Select(number => $"user-{number}")];
        await using var fixture = await CodeFixture.CreateAsync(postgres, users);
        var code = (await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 50)))[0];
        var redeeming = InParallelAsync(users, user => fixture.RedeemAsync(user, code));
        var released = 0L;
        while (!redeeming.IsCompleted)
        {
            var open = await fixture.Database.ScalarAsync<long>("select count(*) from code_redemptions where state = 'paid'");
            released += (await fixture.Voider.VoidAsync(
                new(CodeFixture.Realm, "spring", KeycloakCreditBridge.Grants.Lots.VoidReach.Stop, "test", true, open, "test"),
                TestContext.Current.CancellationToken)).Voided;
        }

        var paid = (await redeeming).Count(outcome => outcome == RedeemOutcome.Paid);
        var (taken, isOpen, _, credits) = await fixture.CountsAsync();
        Assert.Equal((paid - released, paid - released), (taken, isOpen));
        Assert.Equal(5m * isOpen, credits);
        Assert.InRange(taken, 0, 50);
    }

    private static async Task<IReadOnlyList<RedeemOutcome>> InParallelAsync<T>(
        IReadOnlyList<T> items, Func<T, Task<RedeemOutcome>> redeem)
    {
        var outcomes = new RedeemOutcome[items.Count];
        await Parallel.ForAsync(
            0, items.Count, new ParallelOptions { MaxDegreeOfParallelism = Connections },
            async (index, _) => outcomes[index] = await redeem(items[index]));
        return outcomes;
    }
}
