using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>Asks Keycloak for everything that the rules of a user's realm look at, and for no more.</summary>
internal sealed class SubjectReader(KeycloakClient keycloak, GrantPolicy policy)
{
    /// <summary>The user as it is now, or null when Keycloak says that there is none.</summary>
    /// <exception cref="KeycloakException">Keycloak did not answer, or knows the user under another id.</exception>
    public async Task<Subject?> ReadAsync(string realm, string userId, CancellationToken cancellationToken)
    {
        if (await keycloak.FindUserAsync(realm, userId, cancellationToken) is not { } user)
            return null;
        // Two ids for one person would be two accounts.
        if (user.Id != userId)
            throw new KeycloakOtherIdException(realm, user.Id);
        var isPerson = user.Username is null || await keycloak.IsPersonAsync(realm, user.Username, cancellationToken);
        var subject = Subject.From(realm, user, isPerson);
        return isPerson && policy.RulesOf(realm).NeedsIdentities
            ? subject with { IdentityProviders = await keycloak.ListIdentityProvidersAsync(realm, userId, cancellationToken) }
            : subject;
    }
}
