namespace KeycloakCreditBridge.Grants.Experiments.Results;

/// <summary>The chi-square distribution.</summary>
internal static class ChiSquare
{
    private const int MostSteps = 10_000;
    private const double Precision = 1e-15;

    /// <summary>The probability of a value at least as large by chance alone.</summary>
    /// <param name="value">0 or more.</param>
    /// <param name="freedom">Degrees of freedom, 1 or more.</param>
    public static double Above(double value, int freedom)
    {
        if (value <= 0d)
            return 1d;
        var (shape, half) = (freedom / 2d, value / 2d);
        var density = Math.Exp((shape * Math.Log(half)) - half - LogGammaOfHalf(freedom));
        return half < shape + 1d ? 1d - (density * Series(shape, half)) : density * Fraction(shape, half);
    }

    // Of the lower incomplete gamma function.
    private static double Series(double shape, double x)
    {
        var term = 1d / shape;
        var sum = term;
        for (var step = 1; step < MostSteps && term > sum * Precision; step++)
        {
            term *= x / (shape + step);
            sum += term;
        }

        return sum;
    }

    // Of the upper incomplete gamma function, by Lentz's method.
    private static double Fraction(double shape, double x)
    {
        const double Tiny = 1e-300;
        var b = x + 1d - shape;
        var c = 1d / Tiny;
        var d = 1d / b;
        var result = d;
        for (var step = 1; step < MostSteps; step++)
        {
            var a = -step * (step - shape);
            b += 2d;
            d = 1d / NotZero((a * d) + b);
            c = NotZero(b + (a / c));
            result *= c * d;
            if (Math.Abs((c * d) - 1d) < Precision)
                break;
        }

        return result;

        static double NotZero(double value) => Math.Abs(value) < Tiny ? Tiny : value;
    }

    // Exact for halves of whole numbers.
    private static double LogGammaOfHalf(int freedom)
    {
        var (at, log) = freedom % 2 == 0 ? (1d, 0d) : (0.5, Math.Log(Math.PI) / 2d);
        for (; at < freedom / 2d; at++)
            log += Math.Log(at);
        return log;
    }
}
