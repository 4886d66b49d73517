namespace KeycloakCreditBridge.Analytics.Reports;

/// <summary>How long users waited for their accounts.</summary>
/// <param name="Name">The group's.</param>
/// <param name="Skewed">Accounts that are older than their user, because clocks differ; they count as no wait.</param>
/// <param name="MaxMs">The longest wait, in milliseconds.</param>
/// <param name="Waits">That of each user, in any order; empty where <see cref="Buckets"/> stand for them.</param>
/// <param name="Buckets">Numbers of buckets, of which each is 4 % longer than the one before; 0 is no wait.</param>
/// <param name="Counts">How many users are in each of them.</param>
internal sealed record WaitCounts(string Name, long Users, long Skewed, long MaxMs, long[] Waits, int[] Buckets, int[] Counts)
{
    private const double Growth = 1.04;

    /// <summary>Puts groups together that have the same name, in their order.</summary>
    public static IEnumerable<WaitCounts> ByName(IEnumerable<WaitCounts> waits) => waits.GroupBy(
        part => part.Name,
        (name, parts) =>
        {
            WaitCounts[] all = [.. parts];
            long[] exact = [.. all.SelectMany(part => part.Waits)];
            Array.Sort(exact);
            var histogram = new int[all.Max(part => part.Buckets.Length == 0 ? 0 : part.Buckets.Max() + 1)];
            foreach (var part in all)
            {
                for (var index = 0; index < part.Buckets.Length; index++)
                    histogram[part.Buckets[index]] += part.Counts[index];
            }

            return new WaitCounts(
                name, all.Sum(part => part.Users), all.Sum(part => part.Skewed), all.Max(part => part.MaxMs), exact,
                [.. Enumerable.Range(0, histogram.Length)], histogram);
        },
        StringComparer.Ordinal);

    /// <summary>The wait that this share of the users of one group does not exceed, in milliseconds.</summary>
    /// <param name="share">More than 0, at most 1.</param>
    public double At(double share)
    {
        var rank = (long)Math.Ceiling(share * Users);
        if (Waits.Length > 0)
            return Waits[rank - 1];
        var upTo = 0L;
        var index = Array.FindIndex(Counts, count => (upTo += count) >= rank);
        // The middle of a bucket is at most 2 % from each time in it.
        return Buckets[index] == 0 ? 0 : Math.Min(Math.Pow(Growth, Buckets[index] - 0.5), MaxMs);
    }
}
