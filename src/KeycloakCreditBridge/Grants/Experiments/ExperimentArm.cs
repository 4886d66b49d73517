using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Experiments;

/// <summary>An arm with the buckets that lead to it.</summary>
/// <param name="Weight">Its part of the users in the experiment.</param>
/// <param name="From">The begin of its range within 0 to 1.</param>
/// <param name="Until">The end, which is not in it.</param>
/// <param name="Credits">All welcome credits.</param>
/// <param name="ExpiresAfter">Null for the welcome's own.</param>
internal sealed record ExperimentArm(string Name, decimal Weight, decimal From, decimal Until, decimal Credits, TimeSpan? ExpiresAfter)
{
    /// <summary>The arm that others are compared with, always the first one.</summary>
    public const string Control = "control";

    /// <summary>
    /// Divides 0 to 1 as GrowthBook does: each arm begins where the weights before it end, and takes the covered part of its own. So a
    /// larger coverage adds users to arms and moves none.
    /// </summary>
    public static IReadOnlyList<ExperimentArm> Divide(IEnumerable<ArmOptions> arms, decimal coverage)
    {
        List<ExperimentArm> divided = [];
        var from = 0m;
        foreach (var arm in arms)
        {
            var weight = arm.Weight ?? 0m;
            divided.Add(new(arm.Name, weight, from, from + (Math.Clamp(coverage, 0m, 1m) * weight), arm.Credits ?? 0m, arm.ExpiresAfter));
            from += weight;
        }

        return divided;
    }

    /// <summary>The arm of a bucket; null where none covers it.</summary>
    public static ExperimentArm? Of(IReadOnlyList<ExperimentArm> arms, int bucket)
    {
        var place = (decimal)bucket / ExperimentHash.Buckets;
        return arms.FirstOrDefault(arm => place >= arm.From && place < arm.Until);
    }
}
