namespace KeycloakCreditBridge.Keycloak;

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

    /// <summary>How webhooks of this realm prove their sender. No request can choose another way.</summary>
    public WebhookAuthentication WebhookAuthentication { get; set; }

    /// <summary>The audience that webhooks are signed for; only with <see cref="WebhookAuthentication.RealmToken"/>.</summary>
    public string? WebhookAudience { get; set; }

    /// <summary>The only format that webhooks of this realm may have; null when it is found by the shape of each.</summary>
    public WebhookFormat? WebhookFormat { get; set; }

    /// <summary>
    /// The part of a broker's routing keys that stands for this realm, where it is not made of the realm's name: its id, for example.
    /// </summary>
    public string? BrokerName { get; set; }

    /// <summary>When users of a federation (LDAP) get their accounts.</summary>
    public FederatedUsers FederatedUsers { get; set; }
}

/// <summary>When users of a federation get their accounts.</summary>
internal enum FederatedUsers
{
    /// <summary>As soon as a listing shows them. Listing makes Keycloak import all users of a federation with import.</summary>
    All,

    /// <summary>When they first sign in. No listing makes Keycloak ask the federation for users.</summary>
    OnFirstLogin,
}

/// <summary>How a webhook proves its sender.</summary>
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
