using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Provisioning.Subjects;

/// <summary>Asks Keycloak for everything that the rules of a user's realm look at, and for no more.</summary>
internal sealed class SubjectReader(KeycloakClient keycloak, GrantPolicy policy)
{
    private static readonly Dictionary<string, IReadOnlyList<string>> NoAttributes = [];

    /// <summary>The user as it is now, or null when Keycloak says that there is none.</summary>
    /// <exception cref="KeycloakException">Keycloak did not answer, or knows the user under another id.</exception>
    public async Task<Subject?> ReadAsync(string realm, string userId, CancellationToken cancellationToken)
    {
        if (await keycloak.FindUserAsync(realm, userId, cancellationToken) is not { } user)
            return null;
        // Two ids for one person would be two accounts.
        if (user.Id != userId)
            throw new KeycloakOtherIdException(realm, user.Id);
        var isPerson = user.Username is null || await keycloak.IsRegularUserAsync(realm, user.Username, cancellationToken);
        // Without any, Keycloak leaves them out as a listing does.
        var subject = Subject.From(realm, user, isPerson) with { Attributes = user.Attributes ?? NoAttributes };
        return isPerson ? await WithMembershipsAsync(subject, cancellationToken) : subject;
    }

    // Who goes between two of these questions is gone, and has not left a group.
    private async Task<Subject?> WithMembershipsAsync(Subject person, CancellationToken cancellationToken)
    {
        var (realm, id, rules) = (person.Realm, person.KeycloakId, policy.RulesOf(person.Realm));
        var providers = rules.NeedsIdentities ? await keycloak.ListIdentityProvidersAsync(realm, id, cancellationToken) : null;
        var groups = rules.TierMap.NeedsGroups ? await keycloak.ListGroupsAsync(realm, id, cancellationToken) : null;
        var roles = rules.TierMap.NeedsRealmRoles ? await keycloak.ListRealmRolesAsync(realm, id, cancellationToken) : null;
        return (rules.TierMap.NeedsGroups && groups is null) || (rules.TierMap.NeedsRealmRoles && roles is null)
            ? null
            : person with { IdentityProviders = providers, Groups = groups, RealmRoles = roles };
    }
}
