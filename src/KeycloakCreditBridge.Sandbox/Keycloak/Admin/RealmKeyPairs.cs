using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Admin;

/// <summary>
/// A key pair for a realm that is imported. Keycloak makes one for a realm that comes without, which takes it three seconds with the
/// compiler that it runs with here. The few that this process makes are given out in turn, so that one realm's are not the next one's.
/// </summary>
internal static class RealmKeyPairs
{
    private const int Bits = 2048;

    private static readonly Lazy<(string Key, string Certificate)>[] Pairs = [new(Make), new(Make), new(Make), new(Make)];
    private static uint _given;

    public static void AddTo(JsonObject realm)
    {
        if (realm.ContainsKey("privateKey") || realm["components"]?["org.keycloak.keys.KeyProvider"] is not null)
            return;
        (realm["privateKey"], realm["certificate"]) = Pairs[Interlocked.Increment(ref _given) % Pairs.Length].Value;
    }

    private static (string Key, string Certificate) Make()
    {
        using var key = RSA.Create(Bits);
        var request = new CertificateRequest("CN=sandbox", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddYears(10));
        return (Convert.ToBase64String(key.ExportPkcs8PrivateKey()), Convert.ToBase64String(certificate.RawData));
    }
}
