using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>What Phase Two's plugin sends for a registration.</summary>
internal static class SignedDelivery
{
    /// <summary>The user's id stands at the end of the body.</summary>
    public static ByteArrayContent Of(string realm, string secret, string userId)
    {
        var (id, actor) = (Guid.NewGuid(), $$$"""{"userId":"{{{userId}}}"}""");
        var body = Encoding.ASCII.GetBytes(
            $$$"""{"id":"{{{id}}}","time":1795406457740,"realmName":"{{{realm}}}","type":"access.REGISTER","authDetails":{{{actor}}}}""");
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new("application/json");
        content.Headers.Add("X-Keycloak-Signature", Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.ASCII.GetBytes(secret), body)));
        return content;
    }
}
