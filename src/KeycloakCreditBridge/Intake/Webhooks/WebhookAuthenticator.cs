using System.Net;
using System.Security.Cryptography;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Webhooks;

/// <summary>Refuses deliveries whose sender is not authenticated by the scheme of their realm.</summary>
internal sealed class WebhookAuthenticator(RealmTokens tokens, IOptions<IntakeOptions> intake, TimeProvider clock)
{
    /// <exception cref="DeliveryRefusedException">The credential is missing or wrong, or cannot be checked now.</exception>
    public Task AuthenticateAsync(IHeaderDictionary headers, RequestBody body, RealmOptions realm, CancellationToken cancellationToken)
    {
        if (realm.WebhookAuthentication == WebhookAuthentication.RealmToken)
            return AuthenticateByTokenAsync(headers, SHA256.HashData(body.Bytes.Span), realm, cancellationToken);
        AuthenticateBySecret(headers, body.Bytes.Span, realm);
        return Task.CompletedTask;
    }

    private void AuthenticateBySecret(IHeaderDictionary headers, ReadOnlySpan<byte> body, RealmOptions realm)
    {
        string[] secrets = [.. realm.WebhookSecrets.Where(secret => secret.Length > 0)];
        if (secrets.Length == 0 && intake.Value.Webhook.AllowUnsigned)
            return;
        if (secrets.Length == 0)
        {
            throw new DeliveryRefusedException(
                HttpStatusCode.Unauthorized, realm.Name, "no_secret",
                $"Realm '{realm.Name}' has no webhook secret configured, so no sender can be authenticated.");
        }

        var verdict = DeliveryAuthentication.Check(headers, body, realm.WebhookAuthentication, secrets, clock.GetUtcNow());
        if (verdict != AuthenticationOutcome.Valid)
            throw Refusal(verdict, realm);
    }

    private async Task AuthenticateByTokenAsync(
        IHeaderDictionary headers, byte[] digest, RealmOptions realm, CancellationToken cancellationToken)
    {
        try
        {
            var (verdict, problem) = await RealmTokenAuthentication.CheckAsync(
                headers[RealmTokenAuthentication.Header], digest, realm, tokens, cancellationToken);
            if (verdict != AuthenticationOutcome.Valid)
                throw Refusal(verdict, realm, problem);
        }
        catch (KeycloakException exception)
        {
            // Not a 401: the token may be right, and the plugin shall send it again.
            throw new DeliveryRefusedException(
                HttpStatusCode.ServiceUnavailable, realm.Name, "keys_unknown", "The realm's keys are not known now: send it again.",
                exception);
        }
    }

    private static DeliveryRefusedException Refusal(AuthenticationOutcome verdict, RealmOptions realm, string? problem = null) => new(
        HttpStatusCode.Unauthorized,
        realm.Name,
        $"signature_{verdict}".ToLowerInvariant(),
        problem is null ? DeliveryAuthentication.Explain(verdict, realm) : $"The bearer token is refused: {problem}.");
}
