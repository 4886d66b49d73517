using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Intake;

/// <summary>What a signature proved.</summary>
internal enum SignatureVerdict
{
    Valid,
    Missing,
    Empty,
    Doubled,
    Malformed,
    Wrong,
}

/// <summary>A hexadecimal HMAC-SHA256 over the exact bytes of a body, keyed with the characters of a shared secret.</summary>
internal static class HmacSignature
{
    public const string Header = "X-Keycloak-Signature";

    /// <summary>
    /// Checks a header against every secret that is valid now. The time taken does not depend on which of them matches, nor on how
    /// much of the signature is right.
    /// </summary>
    public static SignatureVerdict Check(StringValues header, ReadOnlySpan<byte> body, IEnumerable<string> secrets)
    {
        if (header.Count != 1)
            return header.Count == 0 ? SignatureVerdict.Missing : SignatureVerdict.Doubled;
        var text = header[0];
        if (string.IsNullOrEmpty(text))
            return SignatureVerdict.Empty;
        Span<byte> given = stackalloc byte[SHA256.HashSizeInBytes];
        if (text.Length != 2 * given.Length || Convert.FromHexString(text, given, out _, out _) != OperationStatus.Done)
            return SignatureVerdict.Malformed;

        var matches = false;
        Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (var secret in secrets)
        {
            HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), body, expected);
            matches |= CryptographicOperations.FixedTimeEquals(given, expected);
        }

        return matches ? SignatureVerdict.Valid : SignatureVerdict.Wrong;
    }
}
