using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Intake.Authentication;

/// <summary>User and password of the Basic scheme; the secret is both, as `user:password`.</summary>
internal static class BasicCredentials
{
    public const string Header = "Authorization";

    private const string Scheme = "Basic ";

    public static AuthenticationOutcome Check(StringValues header, IEnumerable<string> secrets)
    {
        if (header.Count != 1)
            return header.Count == 0 ? AuthenticationOutcome.Missing : AuthenticationOutcome.Doubled;
        var text = header[0];
        if (string.IsNullOrEmpty(text))
            return AuthenticationOutcome.Empty;
        var credentials = new byte[text.Length];
        return text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && Convert.TryFromBase64Chars(text.AsSpan(Scheme.Length), credentials, out var length)
            ? SharedSecret.Check(credentials.AsSpan(0, length), secrets)
            : AuthenticationOutcome.Malformed;
    }
}
