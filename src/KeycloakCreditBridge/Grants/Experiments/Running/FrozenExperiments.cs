using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Experiments.Running;

/// <summary>What experiments compare that began, as it was read last. Settings that say otherwise are refused.</summary>
internal sealed class FrozenExperiments
{
    private volatile IReadOnlyList<BegunExperiment> _begun = [];

    public void Set(IReadOnlyList<BegunExperiment> begun) => _begun = begun;

    /// <summary>What settings change of what is frozen, each with its key and its remedy.</summary>
    public IReadOnlyList<string> ProblemsOf(GrantsOptions options) =>
        [.. _begun.GroupBy(run => (run.Realm, run.Experiment)).SelectMany(runs => ProblemsOf(options, [.. runs])).Distinct()];

    private static IEnumerable<string> ProblemsOf(GrantsOptions options, IReadOnlyList<BegunExperiment> versions)
    {
        var (realm, key) = (versions[0].Realm, versions[0].Experiment);
        var own = options.Realms.GetValueOrDefault(realm)?.Experiments;
        if (!(own ?? options.Experiments).TryGetValue(key, out var configured))
            yield break;
        var at = own is null ? $"{GrantsOptions.Section}:Experiments:{key}" : $"{GrantsOptions.Section}:Realms:{realm}:Experiments:{key}";
        var last = versions.Max(run => run.Version);
        if (configured.Version < last)
        {
            yield return FormattableString.Invariant(
                $"{at}:Version is {configured.Version}, and version {last} has begun: choose {last} or a later one.");
        }
        else if (versions.FirstOrDefault(run => run.Version == configured.Version) is { } frozen)
        {
            foreach (var difference in ExperimentDefinition.Differences(
                frozen.Definition, new ExperimentTerms(key, configured).Definition))
            {
                yield return FormattableString.Invariant(
                    $"{at}:{difference}, and is frozen while version {last} runs: put it back, or set {at}:Version to {last + 1}, ")
                    + "which takes new users only.";
            }
        }
    }
}

/// <summary>Refuses settings that change what an experiment compares while it runs.</summary>
internal sealed class FrozenExperimentsValidator(FrozenExperiments frozen) : IValidateOptions<GrantsOptions>
{
    public ValidateOptionsResult Validate(string? name, GrantsOptions options) =>
        frozen.ProblemsOf(options) is { Count: > 0 } problems
            ? ValidateOptionsResult.Fail(problems)
            : ValidateOptionsResult.Success;
}
