using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>
/// Says what has to be read of hinted users so that their undecided grants can be decided. Where nothing can be due to a user,
/// nothing is read beside the user itself.
/// </summary>
internal sealed class EvidenceNeeds(AccountFactsStore facts, PolicyActivation activation)
{
    /// <summary>The needs of users that have an account; others may need everything.</summary>
    public async Task<IReadOnlyDictionary<(string Realm, string KeycloakId), NeededEvidence>?> OfAsync(
        GrantPolicy policy, IReadOnlyList<ClaimedHint> hints, CancellationToken cancellationToken)
    {
        GrantUser[] users = [
            .. hints.Where(hint => policy.PoliciesOf(hint.Realm)?.NeededFor(null).IsAny == true)
                .Select(hint => new GrantUser(hint.Realm, hint.KeycloakId, null))];
        if (users.Length == 0)
            return null;
        Dictionary<(string Realm, string KeycloakId), NeededEvidence> needs = [];
        foreach (var (user, known) in await facts.ReadAsync(
            users, hints.Any(hint => policy.PoliciesOf(hint.Realm)?.HasTopUps == true), cancellationToken))
        {
            var policies = policy.PoliciesOf(user.Realm)!;
            var active = await activation.ActiveAsync(user.Realm, policies.Names, cancellationToken);
            needs[user] = policies.NeededFor(known with { Activated = active });
        }

        return needs;
    }
}
