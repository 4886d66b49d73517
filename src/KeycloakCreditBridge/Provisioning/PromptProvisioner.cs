using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>Provisions one user while a caller waits.</summary>
internal sealed class PromptProvisioner(SubjectReader reader, GrantPolicy policy, Provisioner provisioner, TimeProvider clock)
{
    /// <summary>Asks Keycloak for the user and converges the account; false when Keycloak has no such user.</summary>
    /// <exception cref="KeycloakException">Keycloak did not say.</exception>
    public async Task<bool> ProvisionAsync(string realm, string keycloakId, string source, CancellationToken cancellationToken)
    {
        var readAt = clock.GetUtcNow();
        if (await reader.ReadAsync(realm, keycloakId, cancellationToken) is not { } subject)
            return false;
        await provisioner.ConvergeAsync([policy.Judge(subject, readAt, source)], cancellationToken);
        return true;
    }
}
