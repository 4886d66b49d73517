namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>
/// Whose token a request to the Admin API carries, and what a refusal means there: the bridge's own client or an administrator.
/// </summary>
internal interface IAdminAccount
{
    /// <summary>A token that is good for some time yet.</summary>
    /// <exception cref="KeycloakException">Keycloak gave none.</exception>
    Task<string> GetAsync(string realm, CancellationToken cancellationToken);

    /// <summary>Forgets a token that Keycloak did not accept, unless a newer one has taken its place.</summary>
    void Invalidate(string realm, string token);

    /// <summary>The error for a token that was refused although it was new.</summary>
    Exception TokenRefused(string realm);

    /// <summary>The error for a request that needs a role which the account lacks.</summary>
    Exception Forbidden(string realm, string request, string role);
}
