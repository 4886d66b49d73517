using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Tokens;

/// <summary>The proof of possession (DPoP) that a request carries.</summary>
/// <param name="KeyThumbprint">The key that signed it.</param>
/// <param name="TokenDigest">Of the access token that it goes with; null in a request for one.</param>
internal sealed record PossessionProof(string KeyThumbprint, string? TokenDigest)
{
    /// <summary>The proof; null where the request has none.</summary>
    /// <exception cref="RefusalException">It is not one for this request.</exception>
    public static PossessionProof? Read(HttpContext context)
    {
        if (context.Request.Headers["DPoP"].ToString().Split('.') is not [var head, var body, var signature])
            return null;
        var (header, claims) = (Parse(head), Parse(body));
        var jwk = header["jwk"]!.AsObject();
        var (x, y) = (jwk.Text("x")!, jwk.Text("y")!);
        using var key = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = Base64Url.DecodeFromChars(x), Y = Base64Url.DecodeFromChars(y) },
        });
        var address = $"{context.Request.Scheme}://{context.Request.Host}{context.Request.Path.ToUriComponent()}";
        var isRight = header.Text("typ") == "dpop+jwt" && claims.Text("htm") == context.Request.Method && claims.Text("htu") == address
            && key.VerifyData(Encoding.ASCII.GetBytes($"{head}.{body}"), Base64Url.DecodeFromChars(signature), HashAlgorithmName.SHA256);
        return isRight
            ? new PossessionProof(Digest($$"""{"crv":"P-256","kty":"EC","x":"{{x}}","y":"{{y}}"}"""), claims.Text("ath"))
            : throw RefusalException.Error(StatusCodes.Status400BadRequest, "invalid_request", "DPoP verification failure");
    }

    /// <summary>Whether it goes with a token that is bound to this key.</summary>
    public bool Covers(string token, string boundTo) => KeyThumbprint == boundTo && TokenDigest == Digest(token);

    private static JsonObject Parse(string part) => JsonNode.Parse(Base64Url.DecodeFromChars(part))!.AsObject();

    private static string Digest(string text) => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
