using System.Globalization;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>Keycloak did not do what was asked. The message is one line, names the cure and holds no token or secret.</summary>
internal abstract class KeycloakException(string realm, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The realm that was asked.</summary>
    public string Realm { get; } = realm;
}

/// <summary>Keycloak does not accept the bridge's client, its secret or its token: an operator must act.</summary>
internal sealed class KeycloakAuthenticationException(string realm, string message) : KeycloakException(realm, message)
{
    /// <summary>Whether the realm gives tokens only to a request that proves the possession of a key.</summary>
    public bool NeedsPossession { get; init; }

    /// <summary>The same refusal, reported again without asking Keycloak.</summary>
    public KeycloakAuthenticationException WithRetryAt(DateTimeOffset retryAt) =>
        new(Realm, string.Create(CultureInfo.InvariantCulture, $"{Message} Keycloak is asked again at {retryAt:HH:mm:ss}Z."));
}

/// <summary>The bridge's client lacks a role: an operator must act.</summary>
internal sealed class KeycloakForbiddenException(string realm, string role, string message) : KeycloakException(realm, message)
{
    /// <summary>The role of the realm's client realm-management that is missing, for example view-users.</summary>
    public string Role { get; } = role;
}

/// <summary>There is no such realm, in Keycloak or in the configuration: an operator must act.</summary>
internal sealed class KeycloakRealmNotFoundException(string realm, string message) : KeycloakException(realm, message);

/// <summary>Keycloak could not be reached, was overloaded or answered too late, several times in a row: it may pass.</summary>
internal sealed class KeycloakUnavailableException(string realm, string message, Exception? inner = null, TimeSpan? retryAfter = null)
    : KeycloakException(realm, message, inner)
{
    /// <summary>How long the server asked its callers to wait, where it did.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}

/// <summary>The answer is not Keycloak's: cut off, not JSON, of another shape or with a status that has no meaning here.</summary>
internal class KeycloakProtocolException(string realm, string message, bool garbled = false) : KeycloakException(realm, message)
{
    /// <summary>Whether the status was right and only the body was not, which happens when a server fails while it answers.</summary>
    public bool Garbled { get; } = garbled;
}

/// <summary>Keycloak answered with a user of another id: no user has the id that was asked for.</summary>
internal sealed class KeycloakOtherIdException(string realm, string id)
    : KeycloakProtocolException(realm, $"Keycloak knows the user under another id, '{id}'.");

/// <summary>A plugin of Keycloak's refuses what Keycloak itself would allow: webhooks are missing, nothing else.</summary>
internal sealed class KeycloakPluginException(string realm, string message) : KeycloakException(realm, message);

/// <summary>Keycloak cannot read its event store: most often a webhook plugin brought a second one and none was chosen.</summary>
internal sealed class KeycloakEventStoreException(string realm, string message) : KeycloakException(realm, message);
