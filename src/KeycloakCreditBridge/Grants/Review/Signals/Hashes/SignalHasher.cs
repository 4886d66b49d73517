using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Review.Signals.Hashes;

/// <summary>Hashes what signals keep with the server's key: who reads the database alone learns no address.</summary>
internal sealed class SignalHasher(IOptions<GrantsOptions> options)
{
    private const int Bytes = 16;
    private const int NetworkBytesOf4 = 3;
    private const int NetworkBytesOf6 = 8;

    private readonly byte[] _key = Encoding.UTF8.GetBytes(options.Value.Fraud.Key);
    private readonly byte[][] _previous = [.. options.Value.Fraud.PreviousKeys.Select(Encoding.UTF8.GetBytes)];

    /// <summary>Whether there is a key, without which nothing is kept.</summary>
    public bool IsReady => _key.Length > 0;

    /// <summary>The hash of a value; null for none.</summary>
    /// <param name="kind">What it is: the same value of two kinds has two hashes.</param>
    public byte[]? Of(string kind, string? value) => value is null ? null : Of(_key, kind, value);

    /// <summary>The hashes of a value by the keys of before; none of nothing.</summary>
    public IReadOnlyList<byte[]> EarlierOf(string kind, string? value) =>
        value is null ? [] : [.. _previous.Select(key => Of(key, kind, value))];

    /// <summary>The hash of the /24 or /64 that an address lies in.</summary>
    public byte[] OfNetwork(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6
        ? Of("net6", Convert.ToHexString(address.GetAddressBytes().AsSpan(0, NetworkBytesOf6)))!
        : Of("net4", Convert.ToHexString(address.GetAddressBytes().AsSpan(0, NetworkBytesOf4)))!;

    private static byte[] Of(byte[] key, string kind, string value) =>
        HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{kind}\0{value}"))[..Bytes];
}
