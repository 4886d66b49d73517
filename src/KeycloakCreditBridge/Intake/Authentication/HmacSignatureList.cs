using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Intake.Authentication;

/// <summary>
/// A signature header as either plugin writes it: Phase Two one bare value, webhook-provider `sha256=` and the value, twice while a secret
/// is rotated. Its prefix stays the same for HMAC-SHA1.
/// </summary>
internal static class HmacSignatureList
{
    private const string Prefix = "sha256=";
    private const int MostValues = 4;

    public static AuthenticationOutcome Check(
        StringValues header, ReadOnlySpan<byte> body, IReadOnlyCollection<string> secrets, WebhookAuthentication scheme)
    {
        if (header is not [{ } text] || !text.StartsWith(Prefix, StringComparison.Ordinal))
            return HmacSignature.Check(header, body, secrets, scheme);
        var values = text.Split(',', MostValues + 1, StringSplitOptions.TrimEntries);
        // A list of bare values means that the header was added twice.
        if (values.Length > MostValues || !values.All(value => value.StartsWith(Prefix, StringComparison.Ordinal)))
            return AuthenticationOutcome.Malformed;

        var matches = false;
        foreach (var value in values)
        {
            var verdict = HmacSignature.Check(value[Prefix.Length..], body, secrets, scheme);
            if (verdict is AuthenticationOutcome.Empty or AuthenticationOutcome.Malformed)
                return AuthenticationOutcome.Malformed;
            matches |= verdict == AuthenticationOutcome.Valid;
        }

        return matches ? AuthenticationOutcome.Valid : AuthenticationOutcome.Wrong;
    }
}
