namespace KeycloakCreditBridge.Keycloak;

/// <summary>Where Keycloak is, and who the bridge is there.</summary>
internal sealed class KeycloakOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Keycloak";

    /// <summary>Keycloak's address, for example https://sso.example.com or, with a path prefix, https://sso.example.com/auth.</summary>
    public string Url { get; set; } = "";

    /// <summary>Keycloak's address for people and applications, where it is another one: tokens name it as their issuer.</summary>
    public string? PublicUrl { get; set; }

    /// <summary>The client that the bridge signs in as, in every realm that names no other.</summary>
    public string ClientId { get; set; } = "credit-bridge";

    /// <summary>That client's secret.</summary>
    public string ClientSecret { get; set; } = "";

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

    /// <summary>The address of a path below Keycloak's, whose segments are escaped already.</summary>
    public Uri Address(string path) => new($"{Url.TrimEnd('/')}/{path}");
}

/// <summary>One realm that is watched.</summary>
internal sealed class RealmOptions
{
    /// <summary>The realm's name as it stands in Keycloak's addresses.</summary>
    public string Name { get; set; } = "";

    /// <summary>Takes the place of <see cref="KeycloakOptions.ClientId"/> in this realm.</summary>
    public string? ClientId { get; set; }

    /// <summary>Takes the place of <see cref="KeycloakOptions.ClientSecret"/> in this realm.</summary>
    public string? ClientSecret { get; set; }

    /// <summary>
    /// Secrets that webhooks of this realm may prove themselves with: one, or two while one replaces the other. For Basic each is
    /// `user:password`, for StandardWebhooks base64 with or without `whsec_`.
    /// </summary>
    public List<string> WebhookSecrets { get; set; } = [];

    /// <summary>How webhooks of this realm prove who sent them. No request can choose another way.</summary>
    public WebhookAuthentication WebhookAuthentication { get; set; }

    /// <summary>The audience that webhooks are signed for; only with <see cref="WebhookAuthentication.RealmToken"/>.</summary>
    public string? WebhookAudience { get; set; }

    /// <summary>The only format that webhooks of this realm may have; null when it is found by the shape of each.</summary>
    public WebhookFormat? WebhookFormat { get; set; }

    /// <summary>When people of a user federation (LDAP) get their accounts.</summary>
    public FederatedUsers FederatedUsers { get; set; }
}

/// <summary>When people of a user federation get their accounts.</summary>
internal enum FederatedUsers
{
    /// <summary>As soon as a listing shows them. Listing makes Keycloak import everybody whom a federation with import has.</summary>
    All,

    /// <summary>When they first sign in. No listing makes Keycloak ask the federation for people.</summary>
    OnFirstLogin,
}

/// <summary>How a webhook proves who sent it.</summary>
internal enum WebhookAuthentication
{
    /// <summary>X-Keycloak-Signature: hexadecimal HMAC-SHA256 of the body.</summary>
    Hmac,

    /// <summary>The same header with HMAC-SHA1.</summary>
    HmacSha1,

    /// <summary>Authorization: Basic.</summary>
    Basic,

    /// <summary>X-Webhook-Secret: the secret itself.</summary>
    SharedHeader,

    /// <summary>webhook-signature, webhook-id and webhook-timestamp: Standard Webhooks, version v1.</summary>
    StandardWebhooks,

    /// <summary>Authorization: Bearer, with a token that the realm signed for this very body.</summary>
    RealmToken,
}

/// <summary>What a webhook's body looks like.</summary>
internal enum WebhookFormat
{
    /// <summary>Phase Two's `ext-event-webhook`.</summary>
    PhaseTwo,

    /// <summary>Keycloak's own representations, as Phase Two's `ext-event-http` sends them.</summary>
    KeycloakEvents,

    /// <summary>monte97's `webhook-provider`.</summary>
    WebhookProvider,

    /// <summary>vymalo's `webhook-http`.</summary>
    Vymalo,

    /// <summary>edereagzi's `event-forwarder`.</summary>
    EventForwarder,

    /// <summary>A CloudEvent, structured or binary, with a body of any other format as data.</summary>
    CloudEvents,
}
