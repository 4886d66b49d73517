namespace KeycloakCreditBridge.Grants.Experiments.Results;

/// <summary>
/// Whether users came into the arms as their weights say. Where they did not, something is lost, and no result can be trusted.
/// </summary>
/// <param name="State">See <see cref="SampleRatios"/>.</param>
/// <param name="Statistic">How far the counts are from what is expected.</param>
/// <param name="Probability">Of such counts by chance alone.</param>
internal sealed record SampleRatio(string State, double Statistic, double Probability)
{
    private const double Broken = 0.001;
    private const double Doubtful = 0.01;
    private const double FewestExpected = 5d;

    /// <summary>Compares counts with weights.</summary>
    /// <param name="arms">Users that were granted by each arm, and its weight.</param>
    public static SampleRatio Of(IReadOnlyCollection<(long Users, decimal Weight)> arms)
    {
        var (users, weights) = (arms.Sum(arm => arm.Users), arms.Sum(arm => arm.Weight));
        var expected = arms.Select(arm => (arm.Users, Expected: (double)(users * arm.Weight / weights))).ToList();
        if (expected.Exists(arm => arm.Expected < FewestExpected))
            return new(SampleRatios.TooFew, 0d, 1d);
        var value = expected.Sum(arm => Math.Pow(arm.Users - arm.Expected, 2d) / arm.Expected);
        var probability = ChiSquare.Above(value, arms.Count - 1);
        return new(
            probability < Broken ? SampleRatios.Broken : probability < Doubtful ? SampleRatios.Doubtful : SampleRatios.Good, value,
            probability);
    }

    /// <summary>Whether a result may be shown.</summary>
    public bool ShowsResult => State is SampleRatios.Good or SampleRatios.Doubtful;
}

/// <summary>What a sample ratio comes to.</summary>
internal static class SampleRatios
{
    /// <summary>Too few users to say it.</summary>
    public const string TooFew = "too_few";
    public const string Good = "good";

    /// <summary>Less than 1 % by chance.</summary>
    public const string Doubtful = "doubtful";

    /// <summary>Less than 0.1 % by chance: the result is hidden.</summary>
    public const string Broken = "broken";
}
