using System.Net;
using KeycloakCreditBridge.Keycloak.Connections;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>Makes the exceptions, so that each message names the cure.</summary>
internal sealed class KeycloakErrors(string realm, KeycloakOptions options)
{
    private const string PossessionMissing = "DPoP proof is missing";

    public static bool IsTransient(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError;

    public KeycloakUnavailableException Unreachable(HttpRequestException exception) =>
        new(realm, ConnectionFault.Describe(options.Url, exception), exception);

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

    /// <summary>A setting of the realm that refuses every caller; null where the error says something else.</summary>
    public static string? RealmObstacle(string realm, string url, ServerError error) => error.Description switch
    {
        "Realm not enabled" =>
            $"Realm '{realm}' is disabled in Keycloak: enable it in Realm settings, or leave it out of the configuration.",
        "HTTPS required" when url.StartsWith("https:", StringComparison.OrdinalIgnoreCase) =>
            $"Realm '{realm}' requires https, and Keycloak does not see that requests come by https: a proxy in front of it has to set "
            + "X-Forwarded-Proto, and Keycloak to trust it (KC_PROXY_HEADERS=xforwarded).",
        "HTTPS required" =>
            $"Realm '{realm}' requires https, and {KeycloakOptions.Section}:Url is http: give Keycloak's https address, or lower "
            + "Require SSL in the realm's settings where the network between them is trusted.",
        _ => null,
    };

    public KeycloakAuthenticationException ClientRefused(ServerError error) => new(
        realm,
        RealmObstacle(realm, options.Url, error)
        ?? $"Realm '{realm}' refused the client '{options.ClientIdOf(realm)}' ({error.Describe(options.ClientSecretOf(realm))}): "
        + ClientRemedy(error))
    {
        NeedsPossession = error.Description == PossessionMissing,
    };

    // What Keycloak's token endpoint says, and which setting of the client or policy of the realm makes it say so.
    private string ClientRemedy(ServerError error) => error.Description switch
    {
        { } words when words.StartsWith("Client Certification missing", StringComparison.Ordinal) =>
            "a client policy of the realm or the client's setting binds its tokens to a TLS certificate, which the bridge does not have. "
            + "Exempt this client from the policy, and switch \"OAuth 2.0 Mutual TLS Certificate Bound Access Tokens\" off.",
        PossessionMissing =>
            "it demands a proof of possession (DPoP) and did not see the bridge's: a proxy in front of Keycloak has to pass the header "
            + "DPoP.",
        { } words when words.StartsWith("DPoP", StringComparison.Ordinal) =>
            "compare the clocks of both machines, and have a proxy in front of Keycloak pass host and scheme "
            + "(KC_PROXY_HEADERS=xforwarded).",
        { } words when words.Contains("client_assertion", StringComparison.Ordinal) =>
            "it authenticates with a signed token there, as a client policy of the realm may demand. Set "
            + $"{KeycloakOptions.Section}:ClientAuthentication to PrivateKeyJwt, name a key by {KeycloakOptions.Section}:PrivateKeyFile, "
            + "and run `KeycloakCreditBridge setup keycloak`.",
        _ when options.ClientAuthentication == ClientAuthentication.PrivateKeyJwt =>
            $"register the public key of {KeycloakOptions.Section}:PrivateKeyFile with `KeycloakCreditBridge setup keycloak`, compare the "
            + "clocks, and check that the client is enabled with service accounts and the authenticator \"Signed JWT\".",
        _ => $"compare {options.ClientSecretKeyOf(realm)} with the client's credentials in Keycloak, and check that it is enabled with "
            + "client authentication and service accounts.",
    };

    public KeycloakPluginException PluginRefused(string asked) => new(
        realm,
        $"Keycloak's webhook plugin of Phase Two refuses {asked} of realm '{realm}' to a token that Keycloak itself takes (401). It does "
        + "so in realms whose name has a space or a letter beyond ASCII: rename the realm, or do without its webhooks. Polling finds "
        + "users all the same.");

    public KeycloakUnavailableException NoKeys(string asked, HttpStatusCode status, ServerError error) =>
        RealmObstacle(realm, options.Url, error) is { } obstacle ? new(realm, obstacle) : Overloaded(asked, status, null);

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

    /// <summary>A refusal stays one until what it names is corrected; a fault of the server may pass.</summary>
    public KeycloakProtocolException WriteFailed(string asked, HttpStatusCode status, ServerError error)
    {
        var says = $"Keycloak answered {(int)status} to {asked} of realm '{realm}' ({error.Describe(options.ClientSecretOf(realm))}): ";
        return new KeycloakProtocolException(realm, says + (IsTransient(status)
            ? "check its log. What was done so far is kept, and the same command goes on from there."
            : "correct what it names. What was done before is kept; `setup keycloak --undo` takes it back."));
    }

    public KeycloakEventStoreException EventStore(string asked) => new(
        realm,
        $"Keycloak fails to read {asked} of realm '{realm}' (500 unknown_error): if a webhook plugin is installed, choose the event store "
        + "with KC_SPI_EVENTS_STORE__PROVIDER=jpa, build and restart Keycloak; otherwise check its log.");
}
