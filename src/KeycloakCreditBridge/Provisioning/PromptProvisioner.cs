using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>Provisions one user while a caller waits.</summary>
internal sealed class PromptProvisioner(KeycloakClient keycloak, GrantPolicy policy, Provisioner provisioner, TimeProvider clock)
{
    /// <summary>Asks Keycloak for the user and converges the account; false when Keycloak has no such user.</summary>
    /// <exception cref="KeycloakException">Keycloak did not say.</exception>
    public async Task<bool> ProvisionAsync(string realm, string keycloakId, string source, CancellationToken cancellationToken)
    {
        var readAt = clock.GetUtcNow();
        if (await keycloak.FindUserAsync(realm, keycloakId, cancellationToken) is not { } user || user.Id != keycloakId)
            return false;
        var isPerson = user.Username is null || await keycloak.IsPersonAsync(realm, user.Username, cancellationToken);
        await provisioner.ConvergeAsync([policy.Judge(Subject.From(realm, user, isPerson), readAt, source)], cancellationToken);
        return true;
    }
}
