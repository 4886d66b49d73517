using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Experiments;

/// <summary>
/// Says which arm a user's welcome is decided by. Pure: a stored assignment wins over all else, and without one the hash decides.
/// </summary>
internal static class ExperimentPlan
{
    /// <summary>The user's arm, or what users without an arm get; null where no experiment concerns the user.</summary>
    /// <param name="user">The user as Keycloak says now.</param>
    /// <param name="account">Whose welcome is not decided yet.</param>
    /// <param name="experiments">Those of the user's realm, by their begin.</param>
    /// <param name="runs">Those that run, by key; null to take all as they are configured.</param>
    public static WelcomeArm? Of(
        GrantUser user, AccountFacts account, IReadOnlyList<ExperimentTerms> experiments, IReadOnlyDictionary<string, ExperimentRun>? runs)
    {
        if (account.Arm is not null || user.HasMappedTier)
            return account.Arm;
        var at = user.CreatedAt ?? account.OpenedAt;
        var run = ExperimentRun.Configured;
        if (experiments.LastOrDefault(experiment => experiment.From <= at) is not { } experiment
            || (runs is not null && !runs.TryGetValue(experiment.Key, out run))
            || experiment.When?.CanBeAsked(user) == false || !experiment.Concerns(user, account.Attribution))
            return null;
        var winner = run!.Winner ?? experiment.Winner;
        var (bucket, arm) = experiment.HashOf(user.KeycloakId);
        if (winner is null && !run.IsStopped && arm is not null && experiment.Admits(user, account.OpenedAt, account.IsOpenedByHand)
            && !account.Taken.Contains((user.WelcomeOncePer, Requirements.Welcome)))
            return new(experiment.Key, experiment.Version, arm.Name, bucket, arm.Credits, arm.ExpiresAfter) { IsNew = true };
        var usual = experiment.Arms.FirstOrDefault(one => one.Name == winner) ?? experiment.Arms[0];
        return new(experiment.Key, experiment.Version, null, bucket, usual.Credits, usual.ExpiresAfter);
    }
}

/// <summary>What was decided about an experiment since it began.</summary>
/// <param name="IsStopped">Whether it takes no more users.</param>
/// <param name="Winner">The arm that all new users get; null where none was chosen.</param>
internal sealed record ExperimentRun(bool IsStopped, string? Winner)
{
    /// <summary>Of one about which nothing was decided.</summary>
    public static readonly ExperimentRun Configured = new(false, null);
}
