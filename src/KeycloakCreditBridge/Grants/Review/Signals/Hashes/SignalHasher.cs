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

    /// <summary>Whether there is a key, without which nothing is kept.</summary>
    public bool IsReady => _key.Length > 0;

    /// <summary>The hash of a value; null for none.</summary>
    /// <param name="kind">What it is: the same value of two kinds has two hashes.</param>
    public byte[]? Of(string kind, string? value) => value is null
        ? null
        : HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes($"{kind}\0{value}"))[..Bytes];

    /// <summary>The hash of the /24 or /64 that an address lies in.</summary>
    public byte[] OfNetwork(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6
        ? Of("net6", Convert.ToHexString(address.GetAddressBytes().AsSpan(0, NetworkBytesOf6)))!
        : Of("net4", Convert.ToHexString(address.GetAddressBytes().AsSpan(0, NetworkBytesOf4)))!;
}
