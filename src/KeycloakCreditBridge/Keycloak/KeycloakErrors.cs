using System.Net;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>Makes the exceptions, so that each message names the cure.</summary>
internal sealed class KeycloakErrors(string realm, KeycloakOptions options)
{
    public static bool IsTransient(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError;

    public KeycloakUnavailableException Unreachable(HttpRequestException exception) => new(
        realm,
        $"Keycloak cannot be reached at {options.Url} ({FirstLine(exception.GetBaseException().Message)}): check "
        + $"{KeycloakOptions.Section}:Url, the network and whether Keycloak runs.",
        exception);

    public KeycloakUnavailableException TooSlow(string asked, Exception exception) => new(
        realm,
        $"Keycloak did not answer {asked} of realm '{realm}' within {options.RequestTimeout}: check its load and its database, or raise "
        + $"{KeycloakOptions.Section}:RequestTimeout.",
        exception);

    /// <summary>For what has a limit of its own, below the configured one.</summary>
    public KeycloakUnavailableException TooSlow(string asked, TimeSpan limit, Exception exception) => new(
        realm, $"Keycloak did not answer {asked} of realm '{realm}' within {limit}: check its load and its database.", exception);

    public KeycloakUnavailableException Overloaded(string asked, HttpStatusCode status, TimeSpan? retryAfter) => new(
        realm, $"Keycloak answered {(int)status} to {asked} of realm '{realm}': check its log and its load.", retryAfter: retryAfter);

    public KeycloakAuthenticationException ClientRefused(ServerError error)
    {
        var words = error.Describe(options.ClientSecretOf(realm));
        return new(
            realm,
            $"Realm '{realm}' refused the client '{options.ClientIdOf(realm)}' ({words}): compare "
            + $"{options.ClientSecretKeyOf(realm)} with the client's credentials in Keycloak, and check that it is enabled with client "
            + "authentication and service accounts.");
    }

    public KeycloakAuthenticationException TokenRefused() => new(
        realm,
        $"Realm '{realm}' refused the token that it had just issued to the client '{options.ClientIdOf(realm)}': check that "
        + $"{KeycloakOptions.Section}:Url is an address under which Keycloak knows itself (its hostname setting), and that the "
        + "client is enabled.");

    public KeycloakForbiddenException Forbidden(string asked, string role) => new(
        realm,
        role,
        $"Realm '{realm}' refused {asked} to the client '{options.ClientIdOf(realm)}': give its service account the role {role} of the "
        + "client realm-management, and see that the client has the scope 'roles' and full scope allowed.");

    public KeycloakException NotFound(string asked, ServerError error)
    {
        if (!error.IsMissingRealm)
            return new KeycloakProtocolException(
                realm,
                $"There is no Keycloak behind {asked} of realm '{realm}' (404): check {KeycloakOptions.Section}:Url and its path prefix, "
                + "such as /auth, at the end.");
        return new KeycloakRealmNotFoundException(
            realm,
            $"Keycloak has no realm '{realm}': correct {options.RealmKeyOf(realm)}:Name (case matters) or create the realm.");
    }

    public KeycloakProtocolException Garbled(string asked) => new(
        realm,
        $"Keycloak answered {asked} of realm '{realm}' with a text that is cut off or no JSON of its own: check its log, and check that "
        + $"no proxy or login page stands between it and {KeycloakOptions.Section}:Url.",
        garbled: true);

    public KeycloakProtocolException Unexpected(string asked, HttpStatusCode status, ServerError error) => new(
        realm,
        $"Keycloak answered {(int)status} to {asked} of realm '{realm}' ({error.Describe(options.ClientSecretOf(realm))}): check that "
        + $"{KeycloakOptions.Section}:Url leads to Keycloak itself and not to a proxy, and check its log.");

    public KeycloakProtocolException WriteFailed(string asked, HttpStatusCode status, ServerError error) => new(
        realm,
        $"Keycloak answered {(int)status} to {asked} of realm '{realm}' ({error.Describe(options.ClientSecretOf(realm))}): check its log. "
        + "What was done so far is kept, and the same command goes on from there.");

    public KeycloakEventStoreException EventStore(string asked) => new(
        realm,
        $"Keycloak fails to read {asked} of realm '{realm}' (500 unknown_error): if a webhook plugin is installed, choose the event store "
        + "with KC_SPI_EVENTS_STORE__PROVIDER=jpa, build and restart Keycloak; otherwise check its log.");

    private static string FirstLine(string text) => text.Split('\n', '\r')[0];
}
