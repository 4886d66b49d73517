using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Codes;

/// <summary>Hashes codes, and networks of callers, with the server's key: who reads the database alone learns neither.</summary>
internal sealed class CodeHasher(IOptions<GrantsOptions> options)
{
    private const int CheckBytes = 8;
    private const int NetworkBytesOf4 = 3;
    private const int NetworkBytesOf6 = 8;

    /// <summary>Whether there is a key, without which no code can be made or redeemed.</summary>
    public bool IsReady => options.Value.Codes.Key.Length > 0;

    /// <summary>Stands for the key itself.</summary>
    public byte[] Check => Hash("key", "")[..CheckBytes];

    /// <summary>The hash of a code, however it was typed.</summary>
    public byte[] OfCode(string text) => Hash("code", CodeText.Normalize(text));

    /// <summary>The hash of a caller's /24 or /64; null for an unknown address.</summary>
    public byte[]? OfNetwork(IPAddress? address) => address switch
    {
        null => null,
        { IsIPv4MappedToIPv6: true } => OfNetwork(address.MapToIPv4()),
        { AddressFamily: AddressFamily.InterNetworkV6 } => Hash("net6", Network(address, NetworkBytesOf6)),
        _ => Hash("net4", Network(address, NetworkBytesOf4)),
    };

    private byte[] Hash(string what, string text) => HMACSHA256.HashData(
        Encoding.UTF8.GetBytes(options.Value.Codes.Key), Encoding.UTF8.GetBytes($"{what}:{text}"));

    private static string Network(IPAddress address, int bytes) => Convert.ToHexString(address.GetAddressBytes().AsSpan(0, bytes));
}
