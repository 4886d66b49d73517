using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Grants.Experiments.Running;

/// <summary>Lets the service not begin with settings that change what an experiment compares while it runs.</summary>
internal sealed class FrozenCondition(ExperimentStore store, FrozenExperiments frozen, Hot<GrantsOptions> options) : ISchemaCondition
{
    public async Task<string?> FindProblemAsync(CancellationToken cancellationToken)
    {
        var current = options.Current;
        if (current.Experiments.Count == 0 && current.Realms.Values.All(realm => realm.Experiments is not { Count: > 0 }))
            return null;
        frozen.Set(await store.ListAsync(cancellationToken));
        return frozen.ProblemsOf(current) is { Count: > 0 } problems ? string.Join(' ', problems) : null;
    }
}
