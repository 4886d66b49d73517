using System.Buffers.Text;
using System.Formats.Cbor;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Browsers;

/// <summary>
/// A passkey for Keycloak's registration page, as a browser and its authenticator would make it: an ES256 key without attestation (WebAuthn
/// level 2, sections 5.8.1, 6.1 and 8.7).
/// </summary>
internal sealed partial class PasskeyAuthenticator(Uri server)
{
    private const string AttestationField = "attestationObject";

    // User present, user verified, attested credential data included.
    private const byte Flags = 0x01 | 0x04 | 0x40;

    /// <summary>The fields of the form, or null when the page does not ask for a passkey.</summary>
    public Dictionary<string, string>? Answer(string html)
    {
        if (!html.Contains($"name=\"{AttestationField}\"", StringComparison.Ordinal))
            return null;
        var credential = RandomNumberGenerator.GetBytes(16);
        var (challenge, origin) = (Challenge().Match(html).Groups[1].Value, server.GetLeftPart(UriPartial.Authority));
        var client = $$"""{"type":"webauthn.create","challenge":"{{challenge}}","origin":"{{origin}}"}""";
        return new Dictionary<string, string>
        {
            ["clientDataJSON"] = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(client)),
            [AttestationField] = Base64Url.EncodeToString(Attestation(credential)),
            ["publicKeyCredentialId"] = Base64Url.EncodeToString(credential),
            ["authenticatorLabel"] = "Passkey",
            ["transports"] = "internal",
            ["authenticatorAttachment"] = "platform",
            ["error"] = "",
        };
    }

    private byte[] Attestation(byte[] credential)
    {
        var cbor = new CborWriter();
        cbor.WriteStartMap(3);
        cbor.WriteTextString("fmt");
        cbor.WriteTextString("none");
        cbor.WriteTextString("attStmt");
        cbor.WriteStartMap(0);
        cbor.WriteEndMap();
        cbor.WriteTextString("authData");
        cbor.WriteByteString(
        [
            .. SHA256.HashData(Encoding.UTF8.GetBytes(server.Host)), Flags, 0, 0, 0, 0,
            .. new byte[16], 0, (byte)credential.Length, .. credential, .. PublicKey(),
        ]);
        cbor.WriteEndMap();
        return cbor.Encode();
    }

    // COSE: key type EC2, algorithm ES256, curve P-256 and the point.
    private static byte[] PublicKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        var cbor = new CborWriter();
        cbor.WriteStartMap(5);
        foreach (var (label, value) in ((int, int)[])[(1, 2), (3, -7), (-1, 1)])
        {
            cbor.WriteInt32(label);
            cbor.WriteInt32(value);
        }

        cbor.WriteInt32(-2);
        cbor.WriteByteString(point.X!);
        cbor.WriteInt32(-3);
        cbor.WriteByteString(point.Y!);
        cbor.WriteEndMap();
        return cbor.Encode();
    }

    [GeneratedRegex("""challenge\s*[:=]\s*["']([A-Za-z0-9_-]+)["']""")]
    private static partial Regex Challenge();
}
