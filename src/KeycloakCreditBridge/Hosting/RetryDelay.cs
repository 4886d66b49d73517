using System.Security.Cryptography;

namespace KeycloakCreditBridge.Hosting;

/// <summary>How long to wait before trying again: doubling from a second, with jitter so that many do not come back at once.</summary>
internal static class RetryDelay
{
    /// <param name="attempt">Tries that failed, 1 for the first.</param>
    /// <param name="longest">Never longer than this.</param>
    public static TimeSpan After(int attempt, TimeSpan longest)
    {
        var seconds = Math.Min(longest.TotalSeconds, Math.Pow(2, Math.Clamp(attempt, 1, 30) - 1));
        return TimeSpan.FromSeconds(seconds * (0.5 + (RandomNumberGenerator.GetInt32(1000) / 2000.0)));
    }
}
