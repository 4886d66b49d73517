using KeycloakCreditBridge.Grants.Experiments.Results;

namespace KeycloakCreditBridge.Tests.Grants.Experiments.Results;

/// <summary>Ratios and intervals are those that others publish.</summary>
public sealed class StatisticsTests
{
    [Theory]
    [InlineData(5100, 4900, 4.0, 0.0455, "good")]
    [InlineData(5200, 4800, 16.0, 6.33e-5, "broken")]
    [InlineData(520, 480, 1.6, 0.2059, "good")]
    [InlineData(5135, 4865, 7.29, 0.006934, "doubtful")]
    public void A_ratio_of_two_arms_is_judged_by_its_probability(long control, long other, double value, double probability, string state)
    {
        var ratio = SampleRatio.Of([(control, 0.5m), (other, 0.5m)]);
        Assert.Equal(value, ratio.Statistic, 1e-9);
        Assert.Equal(1d, ratio.Probability / probability, 1e-3);
        Assert.Equal((state, state != "broken"), (ratio.State, ratio.ShowsResult));
    }

    [Fact]
    public void A_ratio_of_three_arms_counts_all_of_them()
    {
        var ratio = SampleRatio.Of([(5200, 0.5m), (2300, 0.25m), (2500, 0.25m)]);
        Assert.Equal(24d, ratio.Statistic, 1e-9);
        Assert.Equal(1d, ratio.Probability / 6.14e-6, 1e-3);
        Assert.False(ratio.ShowsResult);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(9, 0)]
    [InlineData(5, 4)]
    public void Fewer_than_five_expected_users_of_an_arm_are_too_few_to_judge(long control, long other)
    {
        var ratio = SampleRatio.Of([(control, 0.5m), (other, 0.5m)]);
        Assert.Equal((SampleRatios.TooFew, false), (ratio.State, ratio.ShowsResult));
        Assert.NotEqual(SampleRatios.TooFew, SampleRatio.Of([(5, 0.5m), (5, 0.5m)]).State);
    }

    // Printed in tables of the distribution: what 5 % and 0.1 % lie above.
    [Theory]
    [InlineData(1, 3.841459, 0.05)]
    [InlineData(2, 5.991465, 0.05)]
    [InlineData(5, 11.070498, 0.05)]
    [InlineData(9, 16.918978, 0.05)]
    [InlineData(1, 10.827566, 0.001)]
    [InlineData(9, 27.877165, 0.001)]
    [InlineData(4, 0d, 1d)]
    public void The_distribution_is_that_of_the_tables(int freedom, double value, double above) =>
        Assert.Equal(above, ChiSquare.Above(value, freedom), above * 1e-6);

    // GrowthBook's published checks of its sequential test.
    [Fact]
    public void The_sequential_interval_of_shares_is_the_published_one()
    {
        var uplift = Uplift.Of(ArmSample.OfShare(3000, 1396), ArmSample.OfShare(3461, 2422))!;
        AssertNear(0.50386, 0.40098, 0.60675, uplift.Value, uplift.Sequential);
    }

    [Fact]
    public void The_sequential_interval_of_amounts_is_the_published_one()
    {
        var uplift = Uplift.Of(
            ArmSample.OfAmounts(3000, 1396.87, 52377.9767), ArmSample.OfAmounts(3461, 2422.7, 134698.29), size: 1000d)!;
        AssertNear(0.50336, -0.55844, 1.56516, uplift.Value, uplift.Sequential);
    }

    // GrowthBook's published checks of its test with one look.
    [Fact]
    public void The_fixed_interval_is_the_published_one_of_shares_and_of_amounts()
    {
        var shares = Uplift.Of(ArmSample.OfShare(28, 14), ArmSample.OfShare(30, 16))!;
        AssertNear(0.06667, -0.47767, 0.61101, shares.Value, shares.Fixed);
        var amounts = Uplift.Of(
            ArmSample.OfAmounts(3407, 1396.87, 52377.9767), ArmSample.OfAmounts(3461, 2422.7, 134698.29))!;
        AssertNear(0.70732, -0.03526, 1.44989, amounts.Value, amounts.Fixed);
    }

    [Fact]
    public void A_look_at_any_time_costs_a_wider_interval()
    {
        var uplift = Uplift.Of(ArmSample.OfShare(5000, 500), ArmSample.OfShare(5000, 600))!;
        Assert.True(uplift.Sequential.Low < uplift.Fixed.Low && uplift.Sequential.High > uplift.Fixed.High, $"{uplift}");
    }

    [Theory]
    [InlineData(0, 0, 100, 10)]
    [InlineData(100, 0, 100, 10)]
    [InlineData(100, 10, 1, 1)]
    [InlineData(100, 10, 100, 100)]
    public void Where_there_is_too_little_to_compare_nothing_is_told(long users, long did, long others, long othersDid) =>
        Assert.Null(Uplift.Of(ArmSample.OfShare(users, did), ArmSample.OfShare(others, othersDid)));

    [Fact]
    public void The_planned_size_of_a_step_from_10_to_12_percent_is_3600() => Assert.Equal(3600, SampleSize.Of(0.10, 0.12));

    private static void AssertNear(double value, double low, double high, double found, Interval interval)
    {
        Assert.Equal(value, found, 0.000006);
        Assert.Equal(low, interval.Low, 0.000006);
        Assert.Equal(high, interval.High, 0.000006);
    }
}
