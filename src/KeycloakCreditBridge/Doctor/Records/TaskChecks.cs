using System.Globalization;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Tasks;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether a task was renamed: under its new name it pays once more to all who have done it.</summary>
internal sealed class TaskChecks(PolicyStore policies, IOptions<GrantsOptions> options)
{
    // A task that few were paid for may as well be one that is over.
    private const double ManyHolders = 0.01;

    /// <summary>None where the realm has no task.</summary>
    public IEnumerable<DoctorCheck> Of(IReadOnlyList<string> realms)
    {
        var rules = new GrantRules(options);
        return realms.Where(realm => rules.Of(realm) is { Tasks.Count: > 0 })
            .Select(realm => new DoctorCheck("tasks", realm, token => RenamedAsync(realm, [.. rules.Of(realm)!.Names], token)));
    }

    private async Task<Finding> RenamedAsync(string realm, string[] configured, CancellationToken cancellationToken)
    {
        var former = (await policies.ListAsync(cancellationToken)).Where(known => known.Realm == realm
            && known.Policy.StartsWith(TaskTerms.KeyPrefix, StringComparison.Ordinal) && !configured.Contains(known.Policy));
        foreach (var task in former)
        {
            var (holders, accounts) = await policies.HoldersAsync(realm, task.Policy, cancellationToken);
            if (holders > accounts * ManyHolders)
            {
                return Finding.Warn(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{holders} of {accounts} accounts were paid for {task.Policy}, which is not configured"),
                    "where the task has another name now, give it its old one back: under a new name it pays once more");
            }
        }

        return Finding.Ok("no task that many were paid for is missing");
    }
}
