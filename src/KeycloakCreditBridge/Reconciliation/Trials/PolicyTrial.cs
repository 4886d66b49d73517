using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation.Scans.Listing;

namespace KeycloakCreditBridge.Reconciliation.Trials;

/// <summary>
/// Counts what policies would give to the users of a realm if their accounts were opened now. Nothing is written, and users are read as a
/// complete run reads them: what that does not show counts as unknown.
/// </summary>
internal sealed class PolicyTrial(UserListing listing, KeycloakDatabase database, KeycloakDatabaseStore stored, TimeProvider clock)
{
    /// <summary>Counts over all users of the realm.</summary>
    /// <exception cref="KeycloakException">Keycloak did not answer.</exception>
    public async Task<IReadOnlyList<TrialRow>> RunAsync(GrantPolicy policy, string realm, CancellationToken cancellationToken)
    {
        var counts = new TrialCounts(realm);
        await foreach (var user in UsersAsync(realm, cancellationToken))
            counts.Add(policy.Evaluate(user, clock.GetUtcNow(), HintSources.Reconciliation));
        return counts.Rows;
    }

    private async IAsyncEnumerable<Subject> UsersAsync(string realm, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (database.IsConfigured)
        {
            await stored.CheckAsync(cancellationToken);
            await foreach (var user in stored.CopyAsync(realm, "", null, cancellationToken))
                yield return Subject.From(realm, user.ToUser(), isRegularUser: !user.IsService);
            yield break;
        }

        // Pages overlap, and a page that is read again shows users a second time.
        HashSet<string> seen = new(StringComparer.Ordinal);
        await foreach (var part in listing.ReadAsync(realm, ScanPosition.Start, cancellationToken))
        {
            foreach (var user in part.Users.Where(user => seen.Add(user.KeycloakId)))
                yield return user;
        }
    }
}
