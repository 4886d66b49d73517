using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Browsers;

/// <summary>What an authenticator application shows: RFC 6238 with Keycloak's settings, which are SHA-1, 6 digits and 30 seconds.</summary>
internal static class OneTimeCode
{
    /// <param name="secret">The secret as Keycloak's form has it.</param>
    /// <param name="now">When it is shown.</param>
    public static string Of(string secret, DateTimeOffset now)
    {
        Span<byte> counter = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(counter, now.ToUnixTimeSeconds() / 30);
#pragma warning disable CA5350 // RFC 6238 as authenticator applications have it.
        var hash = HMACSHA1.HashData(Encoding.UTF8.GetBytes(secret), counter);
#pragma warning restore CA5350
        var code = BinaryPrimitives.ReadInt32BigEndian(hash.AsSpan(hash[^1] & 0xf)) & 0x7fff_ffff;
        return (code % 1_000_000).ToString("D6", CultureInfo.InvariantCulture);
    }
}
