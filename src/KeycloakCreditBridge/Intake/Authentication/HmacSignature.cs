using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Intake.Authentication;

/// <summary>A hexadecimal HMAC over the exact bytes of a body, keyed with the characters of a shared secret.</summary>
internal static class HmacSignature
{
    public const string Header = "X-Keycloak-Signature";

    /// <summary>
    /// Checks one value against every secret that is valid now. The time taken does not depend on which of them matches, nor on how
    /// much of the signature is right.
    /// </summary>
    public static AuthenticationOutcome Check(
        StringValues header,
        ReadOnlySpan<byte> body,
        IEnumerable<string> secrets,
        WebhookAuthentication scheme = WebhookAuthentication.Hmac)
    {
        if (header.Count != 1)
            return header.Count == 0 ? AuthenticationOutcome.Missing : AuthenticationOutcome.Doubled;
        var text = header[0];
        if (string.IsNullOrEmpty(text))
            return AuthenticationOutcome.Empty;
        var (algorithm, size) = scheme == WebhookAuthentication.HmacSha1
            ? (HashAlgorithmName.SHA1, SHA1.HashSizeInBytes)
            : (HashAlgorithmName.SHA256, SHA256.HashSizeInBytes);
        Span<byte> given = stackalloc byte[size];
        if (text.Length != 2 * given.Length || Convert.FromHexString(text, given, out _, out _) != OperationStatus.Done)
            return AuthenticationOutcome.Malformed;

        var matches = false;
        Span<byte> expected = stackalloc byte[size];
        foreach (var secret in secrets)
        {
            CryptographicOperations.HmacData(algorithm, Encoding.UTF8.GetBytes(secret), body, expected);
            matches |= CryptographicOperations.FixedTimeEquals(given, expected);
        }

        return matches ? AuthenticationOutcome.Valid : AuthenticationOutcome.Wrong;
    }
}
