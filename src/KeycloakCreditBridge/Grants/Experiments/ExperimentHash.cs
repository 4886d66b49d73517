using System.Globalization;

namespace KeycloakCreditBridge.Grants.Experiments;

/// <summary>
/// Version 2 of GrowthBook's hash. Its values are published, so that other tools divide the same users in the same way.
/// </summary>
internal static class ExperimentHash
{
    /// <summary>How many buckets there are.</summary>
    public const int Buckets = 10_000;

    private const uint Offset = 0x811c9dc5;
    private const uint Prime = 0x01000193;
    private const int MostDigits = 10;

    /// <summary>The bucket of a user.</summary>
    /// <param name="seed">Another seed divides the same users anew.</param>
    /// <param name="value">The user's id, exactly as Keycloak gives it.</param>
    /// <returns>0 to 9999.</returns>
    public static int BucketOf(string seed, string value)
    {
        Span<char> digits = stackalloc char[MostDigits];
        Add(Add(Offset, seed), value).TryFormat(digits, out var length, provider: CultureInfo.InvariantCulture);
        return (int)(Add(Offset, digits[..length]) % Buckets);
    }

    // FNV-1a over UTF-16 code units, as browsers compute it.
    private static uint Add(uint hash, ReadOnlySpan<char> text)
    {
        foreach (var unit in text)
            hash = unchecked((hash ^ unit) * Prime);
        return hash;
    }
}
