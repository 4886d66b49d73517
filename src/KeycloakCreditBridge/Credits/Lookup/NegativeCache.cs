using System.Collections.Concurrent;

namespace KeycloakCreditBridge.Credits.Lookup;

/// <summary>
/// Users without an account a few seconds ago although Keycloak was read, so that their next calls do not read it again. It is consulted
/// only when no account is found.
/// </summary>
internal sealed class NegativeCache(TimeProvider clock)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);

    private const int Capacity = 10_000;

    private readonly ConcurrentDictionary<string, long> _seen = new(StringComparer.Ordinal);
    private int _count;

    public bool Contains(string userId) => _seen.TryGetValue(userId, out var at) && clock.GetElapsedTime(at) < Lifetime;

    public void Add(string userId)
    {
        // All at once: an early removal costs one read of Keycloak, finding the oldest entry would cost every call.
        if (Interlocked.Increment(ref _count) > Capacity)
        {
            _seen.Clear();
            Interlocked.Exchange(ref _count, 1);
        }

        _seen[userId] = clock.GetTimestamp();
    }
}
