using System.Security.Cryptography;
using KeycloakCreditBridge.Keycloak.ClientKeys;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace KeycloakCreditBridge.Tests.Keycloak.ClientKeys;

public sealed class ClientKeyTests : IDisposable
{
    private const string Issuer = "https://sso.example.com/realms/shop";

    private static readonly DateTimeOffset Now = new(2026, 12, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly string _file = Path.GetTempFileName();

    public static TheoryData<string, string> Keys => new()
    {
        { RSA.Create(2048).ExportRSAPrivateKeyPem(), "PS256" },
        { RSA.Create(2048).ExportPkcs8PrivateKeyPem(), "PS256" },
        { ECDsa.Create(ECCurve.NamedCurves.nistP256).ExportECPrivateKeyPem(), "ES256" },
        { ECDsa.Create(ECCurve.NamedCurves.nistP256).ExportPkcs8PrivateKeyPem(), "ES256" },
        { ECDsa.Create(ECCurve.NamedCurves.nistP384).ExportPkcs8PrivateKeyPem(), "ES384" },
        { ECDsa.Create(ECCurve.NamedCurves.nistP521).ExportPkcs8PrivateKeyPem(), "ES512" },
    };

    [Theory, MemberData(nameof(Keys), DisableDiscoveryEnumeration = true)]
    public async Task A_statement_is_verified_by_the_published_key_and_names_client_realm_and_a_short_life(string pem, string algorithm)
    {
        using var key = Read(pem);

        var statement = key.Assertion("credit-bridge", Issuer, Now);
        var other = key.Assertion("credit-bridge", Issuer, Now);

        var published = new JsonWebKeySet($$"""{"keys":[{{key.PublicKey().ToJsonString()}}]}""").Keys.Single();
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(statement, new TokenValidationParameters
        {
            IssuerSigningKey = published, ValidIssuer = "credit-bridge", ValidAudience = Issuer, ValidAlgorithms = [algorithm],
#pragma warning disable CA5404 // The times are compared with the clock of the test below.
            ValidateLifetime = false,
#pragma warning restore CA5404
        });
        Assert.True(result.IsValid, $"{result.Exception}");
        var token = new JsonWebToken(statement);
        Assert.Equal((key.Id, algorithm, "credit-bridge", 1), (token.Kid, token.Alg, token.Subject, token.Audiences.Count()));
        Assert.Equal(Now.AddSeconds(60).UtcDateTime, token.ValidTo);
        Assert.True(token.IssuedAt <= Now.UtcDateTime);
        Assert.NotEqual(token.Id, new JsonWebToken(other).Id);
        Assert.False(published.HasPrivateKey);
    }

    [Fact]
    public void What_is_no_usable_private_key_is_named_with_the_cure()
    {
        using var small = RSA.Create(1024);
        using var odd = ECDsa.Create(ECCurve.CreateFromFriendlyName("secp256k1"));
        using var right = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var password = new PbeParameters(PbeEncryptionAlgorithm.Aes128Cbc, HashAlgorithmName.SHA256, 1);

        Assert.Contains("1024 bits", Problem(small.ExportRSAPrivateKeyPem()), StringComparison.Ordinal);
        Assert.Contains("P-256, P-384 or P-521", Problem(odd.ExportECPrivateKeyPem()), StringComparison.Ordinal);
        Assert.Contains("encrypted", Problem(right.ExportEncryptedPkcs8PrivateKeyPem("word", password)), StringComparison.Ordinal);
        Assert.Contains("no private key in PEM", Problem(right.ExportSubjectPublicKeyInfoPem()), StringComparison.Ordinal);
        Assert.Contains("no private key in PEM", Problem(""), StringComparison.Ordinal);
        File.Delete(_file);
        Assert.Contains("cannot be read", Assert.Throws<ClientKeyException>(() => ClientKey.Read(_file)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => File.Delete(_file);

    private ClientKey Read(string pem)
    {
        File.WriteAllText(_file, pem);
        return ClientKey.Read(_file);
    }

    private string Problem(string pem) => Assert.Throws<ClientKeyException>(() => Read(pem)).Message;
}
