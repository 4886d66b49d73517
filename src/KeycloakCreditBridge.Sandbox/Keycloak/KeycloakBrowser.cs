namespace KeycloakCreditBridge.Sandbox.Keycloak;

/// <summary>
/// Fills in Keycloak's own pages as a person would, each call with cookies of its own, so calls may run at once.
/// A call returns when Keycloak sent the person back to the application; a refused form throws with the page's message.
/// </summary>
internal sealed class KeycloakBrowser(Uri server)
{
    /// <summary>Registers by the realm's registration form (registrationAllowed must be on).</summary>
    public Task RegisterAsync(string realm, Person person, CancellationToken token) =>
        throw new NotSupportedException($"{server}{realm}{person}{token}");

    /// <summary>Signs in by the realm's login form.</summary>
    public Task LoginAsync(string realm, string username, string password, CancellationToken token) =>
        throw new NotSupportedException($"{server}{realm}{username}{password}{token}");

    /// <summary>Signs in by the identity provider <paramref name="alias"/>: its login form, then the review-profile page if there is one.</summary>
    public Task LoginThroughBrokerAsync(string realm, string alias, string username, string password, CancellationToken token) =>
        throw new NotSupportedException($"{server}{realm}{alias}{username}{password}{token}");
}
