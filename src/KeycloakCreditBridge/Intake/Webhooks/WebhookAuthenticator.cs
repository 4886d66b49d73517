using System.Net;
using System.Security.Cryptography;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Webhooks;

/// <summary>Refuses deliveries whose sender is not authenticated by the scheme of their realm.</summary>
internal sealed class WebhookAuthenticator(RealmTokens tokens, IOptions<IntakeOptions> intake, TimeProvider clock)
{
    /// <summary>Refuses what the headers alone show to be wrong, and returns what is left to check.</summary>
    /// <exception cref="DeliveryRefusedException">The credential is missing or wrong, or cannot be checked now.</exception>
    public Task<DeliveryProof> CheckHeadersAsync(IHeaderDictionary headers, RealmOptions realm, CancellationToken cancellationToken) =>
        realm.WebhookAuthentication == WebhookAuthentication.RealmToken
            ? CheckTokenAsync(headers, realm, cancellationToken)
            : Task.FromResult(CheckBySecret(headers, realm));

    private DeliveryProof CheckBySecret(IHeaderDictionary headers, RealmOptions realm)
    {
        string[] secrets = [.. realm.WebhookSecrets.Where(secret => secret.Length > 0)];
        if (secrets.Length == 0 && intake.Value.Webhook.AllowUnsigned)
            return new DeliveryProof(_ => { }, provesSender: false);
        if (secrets.Length == 0)
        {
            throw new DeliveryRefusedException(
                HttpStatusCode.Unauthorized, realm.Name, RefusalReasons.NoSecret,
                $"Realm '{realm.Name}' has no webhook secret configured, so no sender can be authenticated.");
        }

        var scheme = realm.WebhookAuthentication;
        var verdict = Check([]);
        // A signature of the body is wrong for the empty one, which says nothing yet.
        if (verdict != AuthenticationOutcome.Valid && !(verdict == AuthenticationOutcome.Wrong && DeliveryAuthentication.Signs(scheme)))
            throw Refusal(verdict, realm);
        return new DeliveryProof(body =>
        {
            if (Check(body) is not AuthenticationOutcome.Valid and var final)
                throw Refusal(final, realm);
        });

        AuthenticationOutcome Check(ReadOnlySpan<byte> body) =>
            DeliveryAuthentication.Check(headers, body, scheme, secrets, clock.GetUtcNow());
    }

    private async Task<DeliveryProof> CheckTokenAsync(
        IHeaderDictionary headers, RealmOptions realm, CancellationToken cancellationToken)
    {
        try
        {
            var (verdict, problem, digest) = await RealmTokenAuthentication.ReadAsync(
                headers[RealmTokenAuthentication.Header], realm, tokens, cancellationToken);
            if (verdict != AuthenticationOutcome.Valid)
                throw Refusal(verdict, realm, problem);
            return new DeliveryProof(body =>
            {
                if (!CryptographicOperations.FixedTimeEquals(SHA256.HashData(body), digest))
                    throw Refusal(AuthenticationOutcome.Wrong, realm, "it was not made for this body");
            });
        }
        catch (KeycloakException exception)
        {
            // Not a 401: the token may be right, and the plugin shall send it again.
            throw new DeliveryRefusedException(
                HttpStatusCode.ServiceUnavailable, realm.Name, RefusalReasons.KeysUnknown,
                "The realm's keys are not known now: send it again.", exception);
        }
    }

    private static DeliveryRefusedException Refusal(AuthenticationOutcome verdict, RealmOptions realm, string? problem = null) => new(
        HttpStatusCode.Unauthorized,
        realm.Name,
        RefusalReasons.OfSignature(verdict),
        problem is null ? DeliveryAuthentication.Explain(verdict, realm) : $"The bearer token is refused: {problem}.");
}

/// <summary>What is left to check of a delivery once its body is there; it throws where the body is refused.</summary>
/// <param name="check">Throws where the body is refused.</param>
/// <param name="provesSender">Whether a body that passes comes from the realm.</param>
internal sealed class DeliveryProof(DeliveryProof.BodyCheck check, bool provesSender = true)
{
    internal delegate void BodyCheck(ReadOnlySpan<byte> body);

    public bool ProvesSender => provesSender;

    /// <exception cref="DeliveryRefusedException">The sender did not sign this body.</exception>
    public void Check(ReadOnlySpan<byte> body) => check(body);
}
