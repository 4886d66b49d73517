using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Outbox.Endpoints;

/// <summary>Signs as Standard Webhooks 1.0 says: HMAC-SHA256 of id, second and body.</summary>
internal static class SigningKey
{
    private const string Prefix = "whsec_";

    private const int Shortest = 24;

    private const int Longest = 64;

    /// <summary>What is wrong with a secret; null when it can be used.</summary>
    public static string? Problem(string secret)
    {
        const string Remedy = "give whsec_ and 24 to 64 random bytes as base64, such as echo \"whsec_$(openssl rand -base64 32)\" makes.";
        if (Bytes(secret) is not { } key)
            return $"is empty or no base64: {Remedy}";
        return key.Length is < Shortest or > Longest ? $"has {key.Length} bytes: {Remedy}" : null;
    }

    /// <summary>The header `webhook-signature`: one signature for each secret.</summary>
    /// <param name="secrets">The current one first.</param>
    /// <param name="id">The header `webhook-id`.</param>
    /// <param name="seconds">The header `webhook-timestamp`.</param>
    /// <param name="body">As it is sent.</param>
    public static string Sign(IEnumerable<string> secrets, string id, long seconds, ReadOnlySpan<byte> body)
    {
        var head = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{seconds}."));
        var signed = new byte[head.Length + body.Length];
        head.CopyTo(signed, 0);
        body.CopyTo(signed.AsSpan(head.Length));
        return string.Join(' ', secrets.Select(secret => $"v1,{Convert.ToBase64String(HMACSHA256.HashData(Bytes(secret)!, signed))}"));
    }

    private static byte[]? Bytes(string secret)
    {
        var text = secret.StartsWith(Prefix, StringComparison.Ordinal) ? secret[Prefix.Length..] : secret;
        var bytes = new byte[text.Length];
        return text.Length > 0 && Convert.TryFromBase64String(text, bytes, out var length) ? bytes[..length] : null;
    }
}
