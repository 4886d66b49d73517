using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Intake.Authentication;

/// <summary>A secret that is sent as it is. It authenticates the sender, not the body: use it over TLS only.</summary>
internal static class SharedSecret
{
    public const string Header = "X-Webhook-Secret";

    public static AuthenticationOutcome Check(StringValues header, IEnumerable<string> secrets)
    {
        if (header.Count != 1)
            return header.Count == 0 ? AuthenticationOutcome.Missing : AuthenticationOutcome.Doubled;
        return string.IsNullOrEmpty(header[0]) ? AuthenticationOutcome.Empty : Check(Encoding.UTF8.GetBytes(header[0]!), secrets);
    }

    /// <summary>Compares digests, which are of one length: the time taken reveals neither a secret's length nor its beginning.</summary>
    public static AuthenticationOutcome Check(ReadOnlySpan<byte> given, IEnumerable<string> secrets)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(given, digest);
        var matches = false;
        foreach (var secret in secrets)
        {
            SHA256.HashData(Encoding.UTF8.GetBytes(secret), expected);
            matches |= CryptographicOperations.FixedTimeEquals(digest, expected);
        }

        return matches ? AuthenticationOutcome.Valid : AuthenticationOutcome.Wrong;
    }
}
