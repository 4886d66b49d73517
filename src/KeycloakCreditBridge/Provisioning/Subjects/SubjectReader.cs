using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Events;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Provisioning.Subjects;

/// <summary>Reads from Keycloak what the rules of a user's realm need, and no more.</summary>
internal sealed class SubjectReader(KeycloakClient keycloak, KeycloakEvents? events = null, PolicyMetrics? metrics = null)
{
    private static readonly Dictionary<string, IReadOnlyList<string>> NoAttributes = [];

    /// <summary>The user as it is now, or null when Keycloak has none of this id.</summary>
    /// <param name="policy">What evaluates the user.</param>
    /// <param name="realm">The user's realm.</param>
    /// <param name="userId">The user's id.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <param name="evidence">What undecided grants of the user need; null for what they may need of a user without an account.</param>
    /// <exception cref="KeycloakException">Keycloak did not answer, or knows the user under another id.</exception>
    public async Task<Subject?> ReadAsync(
        GrantPolicy policy, string realm, string userId, CancellationToken cancellationToken, NeededEvidence? evidence = null)
    {
        if (await keycloak.FindUserAsync(realm, userId, cancellationToken) is not { } user)
            return null;
        // Two ids for one user would be two accounts.
        if (user.Id != userId)
            throw new KeycloakOtherIdException(realm, user.Id);
        var isRegularUser = user.Username is null || await keycloak.IsRegularUserAsync(realm, user.Username, cancellationToken);
        // Keycloak omits empty attributes, as a listing omits all.
        var subject = Subject.From(realm, user, isRegularUser) with
        {
            Attributes = user.Attributes ?? NoAttributes, IsReadInFull = true,
        };
        return isRegularUser
            ? await WithMembershipsAsync(
                subject, policy.RulesOf(realm), evidence ?? policy.PoliciesOf(realm)?.NeededFor(null) ?? NeededEvidence.Nothing,
                cancellationToken)
            : subject;
    }

    /// <summary>What a user is at identity providers.</summary>
    /// <exception cref="KeycloakException">Keycloak did not answer.</exception>
    public Task<IReadOnlyList<FederatedIdentity>> IdentitiesAsync(
        string realm, string userId, CancellationToken cancellationToken) =>
        keycloak.ListIdentitiesAsync(realm, userId, cancellationToken);

    // A user deleted between two of these requests counts as deleted, not as one without groups.
    private async Task<Subject?> WithMembershipsAsync(
        Subject user, RealmRules rules, NeededEvidence evidence, CancellationToken cancellationToken)
    {
        var (realm, id) = (user.Realm, user.KeycloakId);
        var (needsGroups, needsRoles) =
            (rules.TierMap.NeedsGroups || evidence.Groups, rules.TierMap.NeedsRealmRoles || evidence.RealmRoles);
        var providers = rules.NeedsIdentities || evidence.IdentityProviders
            ? await keycloak.ListIdentityProvidersAsync(realm, id, cancellationToken)
            : null;
        var groups = needsGroups ? await keycloak.ListGroupsAsync(realm, id, cancellationToken) : null;
        var roles = needsRoles ? await keycloak.ListRealmRolesAsync(realm, id, cancellationToken) : null;
        var credentials = evidence.Credentials ? await keycloak.ListCredentialsAsync(realm, id, cancellationToken) : null;
        var organizations = evidence.Organizations
            ? await AllowedAsync(() => keycloak.ListOrganizationsAsync(realm, id, cancellationToken)) : null;
        var registration = evidence.Registration && events is not null
            ? await AllowedAsync(() => RegistrationAsync(events, realm, id, cancellationToken)) : null;
        Count(rules, evidence);
        return (needsGroups && groups is null) || (needsRoles && roles is null) || (evidence.Credentials && credentials is null)
            ? null
            : user with
            {
                IdentityProviders = providers, Groups = groups, RealmRoles = roles, Credentials = credentials,
                Organizations = organizations, Registration = registration,
            };
    }

    // What the rules need anyway costs the grants nothing.
    private void Count(RealmRules rules, NeededEvidence evidence)
    {
        if (metrics is null || !evidence.IsAny)
            return;
        if (evidence.IdentityProviders && !rules.NeedsIdentities)
            metrics.EvidenceRead(EvidenceKinds.IdentityProviders);
        if (evidence.Groups && !rules.TierMap.NeedsGroups)
            metrics.EvidenceRead(EvidenceKinds.Groups);
        if (evidence.RealmRoles && !rules.TierMap.NeedsRealmRoles)
            metrics.EvidenceRead(EvidenceKinds.RealmRoles);
        if (evidence.Credentials)
            metrics.EvidenceRead(EvidenceKinds.Credentials);
        if (evidence.Organizations)
            metrics.EvidenceRead(EvidenceKinds.Organizations);
        if (evidence.Registration)
            metrics.EvidenceRead(EvidenceKinds.Registration);
    }

    private async Task<Registration> RegistrationAsync(
        KeycloakEvents stored, string realm, string userId, CancellationToken cancellationToken)
    {
        var found = await stored.FindRegistrationAsync(realm, userId, cancellationToken);
        if (found is null)
            return Registration.Unknown;
        var attribution = Attribution.FromAddress(
            found.Details?.GetValueOrDefault("redirect_uri"), DateTimeOffset.FromUnixTimeMilliseconds(found.Time), out var dropped);
        metrics?.AttributionsDropped(dropped);
        return new Registration(found.ClientId, attribution);
    }

    // What the bridge may not read decides no grant, and keeps no account waiting.
    private static async Task<T?> AllowedAsync<T>(Func<Task<T>> read)
        where T : class
    {
        try
        {
            return await read();
        }
        catch (KeycloakException exception) when (exception is KeycloakForbiddenException or KeycloakEventStoreException)
        {
            return null;
        }
    }
}
