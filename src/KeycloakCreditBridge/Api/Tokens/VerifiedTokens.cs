using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Security.Cryptography;

namespace KeycloakCreditBridge.Api.Tokens;

/// <summary>
/// Tokens verified a moment ago, so that a signature is not verified for each request. An entry lives until the token expires and a
/// minute at most, so that it outlives a withdrawn key by no more. Only hashes are kept.
/// </summary>
internal sealed class VerifiedTokens(TimeProvider clock)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    private const int Capacity = 10_000;

    private readonly ConcurrentDictionary<(UInt128 High, UInt128 Low), Entry> _known = new();
    private int _count;

    /// <summary>The caller of exactly this token; null when the token must be verified.</summary>
    public VerifiedCaller? Find(string token) =>
        _known.TryGetValue(HashOf(token), out var entry) && clock.GetUtcNow() < entry.Until ? entry.Caller : null;

    /// <param name="token">One that was verified just now, in compact form.</param>
    /// <param name="caller">The caller that it names.</param>
    /// <param name="expires">When it expires.</param>
    public void Remember(string token, VerifiedCaller caller, DateTimeOffset expires)
    {
        if (Interlocked.Increment(ref _count) > Capacity)
        {
            _known.Clear();
            Interlocked.Exchange(ref _count, 1);
        }

        var atMost = clock.GetUtcNow() + Lifetime;
        _known[HashOf(token)] = new Entry(caller, expires < atMost ? expires : atMost);
    }

    private static (UInt128 High, UInt128 Low) HashOf(string token)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(MemoryMarshal.AsBytes(token.AsSpan()), hash);
        return (MemoryMarshal.Read<UInt128>(hash), MemoryMarshal.Read<UInt128>(hash[16..]));
    }

    private sealed record Entry(VerifiedCaller Caller, DateTimeOffset Until);
}

/// <summary>A caller, also as the framework sees it.</summary>
internal sealed record VerifiedCaller(Caller Caller, ClaimsPrincipal Principal);
