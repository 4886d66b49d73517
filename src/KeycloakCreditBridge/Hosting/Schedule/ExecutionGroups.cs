using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Hosting.Schedule;

/// <summary>
/// Which replicas may fire a trigger: those that serve its group. So a replica that does not watch a realm never takes the realm's runs,
/// and leaves its jobs to a replica that does.
/// </summary>
internal static class ExecutionGroups
{
    // As Quartz's column takes it.
    private const int MostCharacters = 150;

    /// <summary>The group of the realm's triggers, free of characters that mean something to Quartz.</summary>
    public static string OfRealm(string realm)
    {
        var name = Uri.EscapeDataString(realm);
        return name.Length <= MostCharacters
            ? $"realm:{name}"
            : $"realm-hash:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(realm)))}";
    }
}
