using System.Net.Http.Headers;
using System.Security.Cryptography;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Intake.Authentication;

/// <summary>
/// A token that the realm signed for one body, as Phase Two's plugin makes it for `authType` bearer: `request_body_sha256` is that body's
/// digest. A token without it, such as any user of the realm has, is refused.
/// </summary>
internal static class RealmTokenAuthentication
{
    public const string Header = "Authorization";

    private const string Scheme = "Bearer";
    private const string BodyClaim = "request_body_sha256";

    /// <summary>The digest of the body that a token was made for; empty where the verdict is not valid.</summary>
    /// <param name="header">The request's.</param>
    /// <param name="realm">The realm that must have signed it.</param>
    /// <param name="tokens">Verifies it.</param>
    /// <param name="cancellationToken">Ends the wait for the realm's keys.</param>
    /// <exception cref="KeycloakException">The realm's keys are not known: it may pass.</exception>
    public static async Task<(AuthenticationOutcome Verdict, string? Problem, byte[] Digest)> ReadAsync(
        StringValues header, RealmOptions realm, RealmTokens tokens, CancellationToken cancellationToken)
    {
        if (header.Count != 1)
            return (header.Count == 0 ? AuthenticationOutcome.Missing : AuthenticationOutcome.Doubled, null, []);
        if (string.IsNullOrEmpty(header[0]))
            return (AuthenticationOutcome.Empty, null, []);
        if (!AuthenticationHeaderValue.TryParse(header[0], out var credentials)
            || !Scheme.Equals(credentials.Scheme, StringComparison.OrdinalIgnoreCase)
            || credentials.Parameter is not { Length: > 0 } text)
        {
            return (AuthenticationOutcome.Malformed, null, []);
        }

        var (token, problem) = await tokens.VerifyAsync(realm.Name, text, realm.WebhookAudience!, cancellationToken);
        if (token is null)
            return (AuthenticationOutcome.Wrong, problem, []);
        return token.TryGetPayloadValue<string>(BodyClaim, out var signed) && Digest(signed) is { Length: > 0 } digest
            ? (AuthenticationOutcome.Valid, null, digest)
            : (AuthenticationOutcome.Wrong, "it was not made for this body", []);
    }

    private static byte[] Digest(string text)
    {
        var digest = new byte[SHA256.HashSizeInBytes];
        return text.Length == 2 * digest.Length
            && Convert.FromHexString(text, digest, out _, out _) == System.Buffers.OperationStatus.Done ? digest : [];
    }
}
