using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Keycloak;

/// <summary>
/// A key pair of its own for a realm that is imported. Keycloak makes one for a realm that comes without, which takes it three seconds
/// with the compiler that it runs with here, against a tenth of one in this process.
/// </summary>
internal static class RealmKeys
{
    private const int Bits = 2048;

    public static void AddTo(JsonObject realm)
    {
        if (realm.ContainsKey("privateKey") || realm["components"]?["org.keycloak.keys.KeyProvider"] is not null)
            return;
        using var key = RSA.Create(Bits);
        var request = new CertificateRequest($"CN={realm["realm"]}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddYears(10));
        realm["privateKey"] = Convert.ToBase64String(key.ExportPkcs8PrivateKey());
        realm["certificate"] = Convert.ToBase64String(certificate.RawData);
    }
}
