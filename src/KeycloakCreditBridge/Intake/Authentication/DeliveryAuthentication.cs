using System.Diagnostics;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Intake.Authentication;

/// <summary>The result of checking a signature, or another credential of the sender.</summary>
internal enum AuthenticationOutcome
{
    Valid,
    Missing,
    Empty,
    Doubled,
    Malformed,
    Expired,
    Wrong,
}

/// <summary>Checks the credential that a realm is configured to require. Nothing in the request chooses the scheme.</summary>
internal static class DeliveryAuthentication
{
    /// <param name="headers">The request's.</param>
    /// <param name="body">Its exact bytes.</param>
    /// <param name="scheme">The realm's.</param>
    /// <param name="secrets">Those that are valid now.</param>
    /// <param name="now">For schemes whose signatures expire.</param>
    public static AuthenticationOutcome Check(
        IHeaderDictionary headers,
        ReadOnlySpan<byte> body,
        WebhookAuthentication scheme,
        IReadOnlyCollection<string> secrets,
        DateTimeOffset now) => scheme switch
    {
        WebhookAuthentication.Hmac or WebhookAuthentication.HmacSha1 =>
            HmacSignatureList.Check(headers[HmacSignature.Header], body, secrets, scheme),
        WebhookAuthentication.Basic => BasicCredentials.Check(headers[BasicCredentials.Header], secrets),
        WebhookAuthentication.SharedHeader => SharedSecret.Check(headers[SharedSecret.Header], secrets),
        WebhookAuthentication.StandardWebhooks => StandardWebhooksSignature.Check(headers, body, secrets, now),
        _ => throw new UnreachableException(),
    };

    /// <summary>Whether the credential depends on the body.</summary>
    public static bool Signs(WebhookAuthentication scheme) => FormOf(scheme).Signs;

    /// <summary>What is wrong, for the sender.</summary>
    public static string Explain(AuthenticationOutcome verdict, RealmOptions realm)
    {
        var (header, form, signs) = FormOf(realm.WebhookAuthentication);
        return verdict switch
        {
            AuthenticationOutcome.Missing when realm.WebhookAuthentication == WebhookAuthentication.RealmToken =>
                $"The header {header} is missing: set the webhook's authType to bearer.",
            AuthenticationOutcome.Missing when signs => $"The header {header} is missing: sign the body with the realm's webhook secret.",
            AuthenticationOutcome.Missing => $"The header {header} is missing: send the realm's webhook secret in it.",
            AuthenticationOutcome.Empty => $"The header {header} is empty: the sender failed to sign.",
            AuthenticationOutcome.Doubled => $"The header {header} was sent more than once.",
            AuthenticationOutcome.Malformed => $"The header {header} is not {form}.",
            AuthenticationOutcome.Expired => "The delivery was signed more than 5 minutes from now: see whether both clocks are right.",
            _ when signs => $"The header {header} was not made from this body with a secret of realm '{realm.Name}'.",
            _ => $"The header {header} does not hold a secret of realm '{realm.Name}'.",
        };
    }

    private static (string Header, string Form, bool Signs) FormOf(WebhookAuthentication scheme) => scheme switch
    {
        WebhookAuthentication.Hmac => (HmacSignature.Header, "64 hexadecimal digits", true),
        WebhookAuthentication.HmacSha1 => (HmacSignature.Header, "40 hexadecimal digits", true),
        WebhookAuthentication.Basic => (BasicCredentials.Header, "a user and a password in the Basic scheme", false),
        WebhookAuthentication.SharedHeader => (SharedSecret.Header, "the secret", false),
        WebhookAuthentication.StandardWebhooks => (
            $"{StandardWebhooksSignature.Header} (with webhook-id and webhook-timestamp)",
            "'v1,' and base64, an id without a dot and seconds since 1970",
            true),
        WebhookAuthentication.RealmToken => (RealmTokenAuthentication.Header, "a token in the Bearer scheme", true),
        _ => throw new UnreachableException(),
    };
}
