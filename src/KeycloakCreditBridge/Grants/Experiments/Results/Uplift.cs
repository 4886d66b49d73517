namespace KeycloakCreditBridge.Grants.Experiments.Results;

/// <summary>How much higher the metric of an arm is than that of `control`, as a part of the latter, with 95 % intervals.</summary>
/// <param name="Value">0.1 for 10 % more.</param>
/// <param name="Sequential">Holds however often it is read.</param>
/// <param name="Fixed">Holds for one look, after the planned number of users.</param>
internal sealed record Uplift(double Value, Interval Sequential, Interval Fixed)
{
    /// <summary>For which number of users the sequential interval is narrowest, where nothing else is known.</summary>
    public const double UsualSize = 5_000d;

    private const double Alpha = 0.05;

    // The standard normal distribution has 2.5 % above it.
    private const double Normal = 1.959963984540054;

    /// <summary>Compares an arm with `control`; null where there is too little to compare.</summary>
    /// <param name="control">The arm to compare with.</param>
    /// <param name="arm">The other one.</param>
    /// <param name="size">For which number of users in both the sequential interval is to be narrow.</param>
    public static Uplift? Of(ArmSample control, ArmSample arm, double size = UsualSize)
    {
        if (control.Users < 2 || arm.Users < 2 || control.Mean == 0d || control.Variance <= 0d || arm.Variance <= 0d)
            return null;
        var value = (arm.Mean / control.Mean) - 1d;
        // The delta method: the variance of a quotient of two means.
        var variance = (arm.Variance / (arm.Users * Square(control.Mean)))
            + (Square(arm.Mean) * control.Variance / (control.Users * Square(Square(control.Mean))));
        return new Uplift(
            value, Around(value, SequentialHalf(control.Users + arm.Users, variance, size)),
            Around(value, QuantileOf(FreedomOf(control, arm)) * Math.Sqrt(variance)));
    }

    // Waudby-Smith et al., time-uniform central limit theory and asymptotic confidence sequences, equations 9 and 161.
    private static double SequentialHalf(double users, double variance, double size)
    {
        var spread = -2d * Math.Log(Alpha);
        var rho = Math.Sqrt((spread + Math.Log(spread + 1d)) / size);
        var scaled = (users * rho * rho) + 1d;
        return Math.Sqrt(users * variance)
            * Math.Sqrt(2d * scaled * Math.Log(Math.Sqrt(scaled) / Alpha) / Square(users * rho));
    }

    // Welch and Satterthwaite.
    private static double FreedomOf(ArmSample control, ArmSample arm)
    {
        var (first, second) = (control.Variance / control.Users, arm.Variance / arm.Users);
        return Square(first + second) / ((Square(first) / (control.Users - 1)) + (Square(second) / (arm.Users - 1)));
    }

    // Student's t by its expansion around the normal distribution: within 0.0001 from 20 degrees of freedom on.
    private static double QuantileOf(double freedom)
    {
        var (z, cube, fifth, seventh) = (Normal, Math.Pow(Normal, 3d), Math.Pow(Normal, 5d), Math.Pow(Normal, 7d));
        return z + ((cube + z) / (4d * freedom)) + (((5d * fifth) + (16d * cube) + (3d * z)) / (96d * Square(freedom)))
            + (((3d * seventh) + (19d * fifth) + (17d * cube) - (15d * z)) / (384d * Math.Pow(freedom, 3d)));
    }

    private static double Square(double value) => value * value;

    private static Interval Around(double value, double half) => new(value - half, value + half);
}

internal sealed record Interval(double Low, double High);

/// <summary>How many users an experiment needs.</summary>
internal static class SampleSize
{
    // 16 variances over the square of the difference find it in 8 of 10 experiments, at a probability of error of 5 %.
    private const double Factor = 16d;

    /// <summary>Users of each arm that show a difference between two shares.</summary>
    /// <param name="share">The one of `control`: more than 0, less than 1.</param>
    /// <param name="other">The other one, not the same.</param>
    public static long Of(double share, double other) =>
        (long)Math.Ceiling(Math.Round(Factor * share * (1d - share) / Math.Pow(other - share, 2d), 6));
}
