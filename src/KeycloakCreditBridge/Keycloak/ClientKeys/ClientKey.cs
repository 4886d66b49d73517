using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace KeycloakCreditBridge.Keycloak.ClientKeys;

/// <summary>The private key that the bridge's client proves itself with (private_key_jwt of OpenID Connect).</summary>
internal sealed class ClientKey : IDisposable
{
    private const int MinRsaBits = 2048;

    // Short, as each assertion is used once, and long enough for a slow server.
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(60);

    // Keycloak refuses an assertion that seems to be of the future, which a clock that is ahead by seconds would make.
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(10);

    private readonly AsymmetricAlgorithm _key;
    private readonly SecurityKey _security;

    private ClientKey(AsymmetricAlgorithm key)
    {
        _key = key;
        (_security, Algorithm) = key switch
        {
            // PS256 and not RS256: profiles such as FAPI allow it alone, and every Keycloak in scope takes it.
            RSA rsa => ((SecurityKey)new RsaSecurityKey(rsa), SecurityAlgorithms.RsaSsaPssSha256),
            ECDsa ec => (new ECDsaSecurityKey(ec), AlgorithmOf(ec)),
            _ => throw new ArgumentException("It is neither an RSA nor an EC key.", nameof(key)),
        };
        Id = Base64UrlEncoder.Encode(_security.ComputeJwkThumbprint());
        _security.KeyId = Id;
        // The factory would keep what signs beyond the life of the key.
        _security.CryptoProviderFactory = new CryptoProviderFactory { CacheSignatureProviders = false };
    }

    /// <summary>The thumbprint of the public key (RFC 7638).</summary>
    public string Id { get; }

    /// <summary>PS256, ES256, ES384 or ES512.</summary>
    public string Algorithm { get; }

    /// <summary>Reads a PEM file with an unencrypted private key.</summary>
    /// <exception cref="ClientKeyException">It cannot be used; the message says why, to follow the file's name.</exception>
    public static ClientKey Read(string path)
    {
        string pem;
        try
        {
            pem = File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ClientKeyException($"cannot be read: {exception.Message.TrimEnd('.')}");
        }

        if (pem.Contains("ENCRYPTED", StringComparison.Ordinal))
            throw new ClientKeyException("holds an encrypted key: write it without a password and protect the file instead");
        return TryImport(RSA.Create(), pem) ?? TryImport(ECDsa.Create(), pem)
            ?? throw new ClientKeyException(
                "holds no private key in PEM: make one with `openssl ecparam -name prime256v1 -genkey -noout`, or `openssl genrsa 3072`");
    }

    /// <summary>The public key as a JSON Web Key.</summary>
    public JsonObject PublicKey()
    {
        var key = new JsonObject { ["kid"] = Id, ["use"] = "sig", ["alg"] = Algorithm };
        switch (_key)
        {
            case RSA rsa:
                var numbers = rsa.ExportParameters(includePrivateParameters: false);
                (key["kty"], key["n"], key["e"]) =
                    ("RSA", Base64UrlEncoder.Encode(numbers.Modulus), Base64UrlEncoder.Encode(numbers.Exponent));
                break;
            case ECDsa ec:
                var point = ec.ExportParameters(includePrivateParameters: false).Q;
                (key["kty"], key["crv"]) = ("EC", $"P-{ec.KeySize}");
                (key["x"], key["y"]) = (Base64UrlEncoder.Encode(point.X), Base64UrlEncoder.Encode(point.Y));
                break;
        }

        return key;
    }

    /// <summary>A signed statement that its bearer is the client; each can be used once.</summary>
    /// <param name="clientId">The client that it speaks for.</param>
    /// <param name="issuer">The realm that it is for, as the realm names itself.</param>
    /// <param name="now">When it is made.</param>
    public string Assertion(string clientId, string issuer, DateTimeOffset now)
    {
        var claims = new JsonObject
        {
            ["iss"] = clientId,
            ["sub"] = clientId,
            ["aud"] = issuer,
            ["jti"] = Guid.NewGuid().ToString(),
            ["iat"] = (now - ClockTolerance).ToUnixTimeSeconds(),
            ["exp"] = (now + Lifetime).ToUnixTimeSeconds(),
        };
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(
            claims.ToJsonString(), new SigningCredentials(_security, Algorithm));
    }

    public void Dispose() => _key.Dispose();

    private static string AlgorithmOf(ECDsa key) => key.ExportParameters(includePrivateParameters: false).Curve.Oid.Value switch
    {
        "1.2.840.10045.3.1.7" => SecurityAlgorithms.EcdsaSha256,
        "1.3.132.0.34" => SecurityAlgorithms.EcdsaSha384,
        "1.3.132.0.35" => SecurityAlgorithms.EcdsaSha512,
        _ => throw new ClientKeyException("holds an EC key of a curve that Keycloak does not take: choose P-256, P-384 or P-521"),
    };

    private static ClientKey? TryImport(AsymmetricAlgorithm key, string pem)
    {
        try
        {
            key.ImportFromPem(pem);
            if (key is RSA { KeySize: < MinRsaBits })
                throw new ClientKeyException($"holds an RSA key of {key.KeySize} bits: make one of {MinRsaBits} or more");
            // A public key alone is imported too.
            _ = key is RSA rsa ? rsa.ExportRSAPrivateKey() : ((ECDsa)key).ExportECPrivateKey();
            return new ClientKey(key);
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            key.Dispose();
            return null;
        }
    }
}

/// <summary>A key file cannot be used.</summary>
/// <param name="problem">Follows the file's name.</param>
internal sealed class ClientKeyException(string problem) : Exception(problem);
