using System.Collections.Concurrent;

namespace KeycloakCreditBridge.Credits.Lookup;

/// <summary>
/// Who had no account a few seconds ago although Keycloak was asked, so that calls of one who gets none do not each ask it. Whose account was
/// opened meanwhile is not looked for here any more.
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
        // All at once: forgetting costs a question to Keycloak, and counting who is oldest would cost every call.
        if (Interlocked.Increment(ref _count) > Capacity)
        {
            _seen.Clear();
            Interlocked.Exchange(ref _count, 1);
        }

        _seen[userId] = clock.GetTimestamp();
    }
}
