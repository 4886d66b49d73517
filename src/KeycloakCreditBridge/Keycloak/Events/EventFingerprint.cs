using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>Replaces the event id that servers before 26.2 do not return.</summary>
internal static class EventFingerprint
{
    public static string Of(long time, IReadOnlyDictionary<string, string>? details, params ReadOnlySpan<string?> fields)
    {
        var text = new StringBuilder().Append(time);
        foreach (var field in fields)
            Append(text, field);
        foreach (var (name, value) in (details ?? new Dictionary<string, string>()).OrderBy(pair => pair.Key, StringComparer.Ordinal))
            Append(Append(text, name), value);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    /// <summary>Lengths keep neighbouring fields apart, and an absent field apart from an empty one.</summary>
    private static StringBuilder Append(StringBuilder text, string? field) => field is null
        ? text.Append("|-")
        : text.Append(CultureInfo.InvariantCulture, $"|{field.Length}:").Append(field);
}
