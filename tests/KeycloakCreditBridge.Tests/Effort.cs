using System.Globalization;

namespace KeycloakCreditBridge.Tests;

/// <summary>How much a random test tries: what fits into every run, times the environment variable TEST_EFFORT.</summary>
internal static class Effort
{
    private static readonly int Factor =
        int.TryParse(Environment.GetEnvironmentVariable("TEST_EFFORT"), NumberStyles.None, CultureInfo.InvariantCulture, out var factor)
            ? Math.Max(factor, 1)
            : 1;

    public static int Times(int usual) => usual * Factor;
}
