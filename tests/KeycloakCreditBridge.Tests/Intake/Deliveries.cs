using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace KeycloakCreditBridge.Tests.Intake;

/// <summary>What Phase Two's plugin sent, as recorded from a real server, and new deliveries made the same way.</summary>
internal static class Deliveries
{
    public const string Secret = "s3cret-of-the-webhook";

    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Fixtures");

    /// <summary>Body and signature of each recorded delivery.</summary>
    public static IReadOnlyList<(byte[] Body, string Signature)> Recorded() =>
    [
        .. File.ReadLines(Path.Combine(Folder, "keycloak-events-0.59-deliveries.jsonl")).Select(line =>
        {
            using var delivery = JsonDocument.Parse(line);
            var root = delivery.RootElement;
            return (
                Encoding.UTF8.GetBytes(root.GetProperty("body").GetString()!),
                root.GetProperty("headers").GetProperty("X-Keycloak-Signature").GetString()!);
        }),
    ];

    /// <summary>Body and headers of each delivery in a file of recorded ones.</summary>
    public static IReadOnlyList<(byte[] Body, IReadOnlyDictionary<string, string> Headers)> RecordedIn(string file) =>
    [
        .. File.ReadLines(Path.Combine(Folder, file)).Select(line =>
        {
            using var delivery = JsonDocument.Parse(line);
            var headers = delivery.RootElement.GetProperty("headers").EnumerateObject()
                .ToDictionary(header => header.Name, header => header.Value.GetString()!);
            return (Encoding.UTF8.GetBytes(delivery.RootElement.GetProperty("body").GetString()!), headers);
        }),
    ];

    /// <summary>The body of a user event.</summary>
    public static string UserEvent(string userId, string type = "access.REGISTER", string realm = "demo") =>
        $$$"""{"id":"5d0","time":1795406457740,"realmName":"{{{realm}}}","type":"{{{type}}}","""
        + $$$""" "authDetails":{"realmId":"demo","userId":{{{JsonSerializer.Serialize(userId)}}}}}""";

    public static string Sign(byte[] body, string secret = Secret) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), body));
}
