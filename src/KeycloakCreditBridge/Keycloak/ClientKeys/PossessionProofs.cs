using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Keycloak.ClientKeys;

/// <summary>
/// Proofs that a request comes from the holder of a key (DPoP, RFC 9449), for realms that bind tokens to one. The key lives as long as the
/// process, as do the tokens that are bound to it.
/// </summary>
internal sealed class PossessionProofs : IDisposable
{
    /// <summary>The header that carries a proof, and the scheme of tokens that need one.</summary>
    public const string Header = "DPoP";

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly Lock _gate = new();
    private readonly TimeProvider _clock;
    private readonly string _header;
    private readonly string _thumbprint;
    private volatile bool _hasTokens;

    public PossessionProofs(TimeProvider clock)
    {
        var point = _key.ExportParameters(includePrivateParameters: false).Q;
        // In the order of RFC 7638, so that it is the thumbprint's input too.
        var key = new JsonObject
        {
            ["crv"] = "P-256", ["kty"] = "EC", ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y),
        };
        _clock = clock;
        _thumbprint = Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(key.ToJsonString())));
        _header = Encode(new JsonObject { ["typ"] = "dpop+jwt", ["alg"] = "ES256", ["jwk"] = key });
    }

    /// <summary>A proof for one request.</summary>
    /// <param name="method">Its method.</param>
    /// <param name="address">Its address; the query is not part of the proof.</param>
    /// <param name="token">The token that it carries; null where it asks for one.</param>
    public string For(HttpMethod method, Uri address, string? token = null)
    {
        _hasTokens = true;
        var claims = new JsonObject
        {
            ["htm"] = method.Method,
            ["htu"] = address.GetLeftPart(UriPartial.Path),
            ["iat"] = _clock.GetUtcNow().ToUnixTimeSeconds(),
            ["jti"] = Guid.NewGuid().ToString(),
        };
        if (token is not null)
            claims["ath"] = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(token)));
        var signed = $"{_header}.{Encode(claims)}";
        lock (_gate)
            return $"{signed}.{Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    /// <summary>Whether the token is bound to this key, so that each request with it needs a proof.</summary>
    public bool Binds(string token)
    {
        if (!_hasTokens)
            return false;
        try
        {
            using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]));
            return claims.RootElement.GetProperty("cnf").GetProperty("jkt").GetString() == _thumbprint;
        }
        catch (Exception exception) when (
            exception is JsonException or FormatException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            return false;
        }
    }

    public void Dispose() => _key.Dispose();

    private static string Encode(JsonObject part) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(part.ToJsonString()));
}
