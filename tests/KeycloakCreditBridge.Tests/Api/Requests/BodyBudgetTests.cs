using KeycloakCreditBridge.Api.Requests;

namespace KeycloakCreditBridge.Tests.Api.Requests;

public sealed class BodyBudgetTests
{
    [Fact]
    public void The_longest_body_gives_way_and_short_ones_stay()
    {
        var budget = new BodyBudget(100);
        using var longest = budget.Begin();
        using var middle = budget.Begin();
        using var small = budget.Begin();
        longest.Grow(60);
        middle.Grow(30);
        Assert.False(longest.GivesWay.IsCancellationRequested);

        small.Grow(20);

        Assert.Equal(
            (true, false, false),
            (longest.GivesWay.IsCancellationRequested, middle.GivesWay.IsCancellationRequested, small.GivesWay.IsCancellationRequested));
        Assert.Equal((0L, 30L, 20L), (longest.Held, middle.Held, small.Held));
    }

    [Fact]
    public void A_body_that_alone_is_too_long_gives_way_itself_and_what_ended_is_free_again()
    {
        var budget = new BodyBudget(100);
        using (var first = budget.Begin())
        {
            first.Grow(80);
            using var greedy = budget.Begin();
            greedy.Grow(101);
            Assert.Equal((true, false), (greedy.GivesWay.IsCancellationRequested, first.GivesWay.IsCancellationRequested));
        }

        using var next = budget.Begin();
        next.Grow(100);
        Assert.False(next.GivesWay.IsCancellationRequested);
    }
}
