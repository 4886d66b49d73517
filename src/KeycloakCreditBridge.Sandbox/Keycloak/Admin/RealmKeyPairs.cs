using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Admin;

/// <summary>
/// Key pairs for imported realms. Keycloak generates one for a realm without, which takes three seconds with the compiler settings of
/// the sandbox. The few pairs of this process are used in turn, so that two realms in a row have different keys.
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
