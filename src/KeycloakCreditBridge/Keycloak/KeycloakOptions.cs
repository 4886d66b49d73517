using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>Where Keycloak is, and which client the bridge is there.</summary>
internal sealed class KeycloakOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Keycloak";

    /// <summary>The name of the HTTP client that all requests to Keycloak use.</summary>
    public const string HttpClientName = "keycloak";

    /// <summary>Keycloak's address, for example https://sso.example.com or, with a path prefix, https://sso.example.com/auth.</summary>
    [OfReplica]
    public string Url { get; set; } = "";

    /// <summary>Keycloak's address for browsers and applications, where it is another one: tokens name it as their issuer.</summary>
    public string? PublicUrl { get; set; }

    /// <summary>The client that the bridge signs in as, in every realm that names no other.</summary>
    public string ClientId { get; set; } = "credit-bridge";

    /// <summary>That client's secret.</summary>
    public string ClientSecret { get; set; } = "";

    /// <summary>How that client proves itself, in every realm.</summary>
    public ClientAuthentication ClientAuthentication { get; set; }

    /// <summary>
    /// The file with the client's private key in PEM, RSA or EC; only with <see cref="ClientAuthentication.PrivateKeyJwt"/>. It is read for
    /// each token, so that a replaced file counts at once.
    /// </summary>
    [OfReplica]
    public string PrivateKeyFile { get; set; } = "";

    /// <summary>How long one attempt of one request may take.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Keycloak's own database, if it is to be read.</summary>
    public KeycloakDatabaseOptions Database { get; set; } = new();

    /// <summary>The realms that are watched; at least one.</summary>
    public List<RealmOptions> Realms { get; set; } = [];

    /// <summary>The realm's settings.</summary>
    /// <exception cref="KeycloakRealmNotFoundException">The realm is not configured.</exception>
    public RealmOptions Realm(string realm) => Realms.Find(candidate => candidate.Name == realm)
        ?? throw new KeycloakRealmNotFoundException(realm, $"Realm '{realm}' is not configured: add it to {Section}:Realms.");

    /// <summary>The configuration key of the realm's settings.</summary>
    public string RealmKeyOf(string realm) => $"{Section}:Realms:{Realms.IndexOf(Realm(realm))}";

    /// <summary>The client to sign in as in this realm.</summary>
    public string ClientIdOf(string realm) => Realm(realm).ClientId is { Length: > 0 } own ? own : ClientId;

    /// <summary>The secret of <see cref="ClientIdOf"/>.</summary>
    public string ClientSecretOf(string realm) => Realm(realm).ClientSecret is { Length: > 0 } own ? own : ClientSecret;

    /// <summary>The configuration key that <see cref="ClientSecretOf"/> takes its value from.</summary>
    public string ClientSecretKeyOf(string realm) => Realm(realm).ClientSecret is { Length: > 0 }
        ? $"{RealmKeyOf(realm)}:ClientSecret"
        : $"{Section}:ClientSecret";

    /// <summary>Whether requests leave the machine as plain text.</summary>
    public bool IsUnencrypted => Uri.TryCreate(Url, UriKind.Absolute, out var url) && url is { Scheme: "http", IsLoopback: false };

    /// <summary>The address of a path below Keycloak's, whose segments are escaped already.</summary>
    public Uri Address(string path) => new($"{Url.TrimEnd('/')}/{path}");
}

/// <summary>How the bridge's client proves itself to Keycloak.</summary>
internal enum ClientAuthentication
{
    /// <summary>By its secret (client-secret).</summary>
    Secret,

    /// <summary>By a statement that it signs with its private key (client-jwt, private_key_jwt).</summary>
    PrivateKeyJwt,
}

/// <summary>Keycloak's own PostgreSQL, read directly: a hundred times faster than its API, and dependent on Keycloak's tables.</summary>
internal sealed class KeycloakDatabaseOptions
{
    public const string Section = "Keycloak:Database";

    /// <summary>Npgsql connection string of Keycloak's database, as a role that may only read. Without it the API is used.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Password; wins over the one in the connection string, so that it can come from a file of its own.</summary>
    public string? Password { get; set; }
}
