using System.Collections.Concurrent;

namespace KeycloakCreditBridge.Page.Gate;

/// <summary>Lets an operator make 30 changes a minute on this replica.</summary>
internal sealed class ChangeLimiter(TimeProvider clock)
{
    private const int Most = 30;

    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Queue<DateTimeOffset>> _changes = new(StringComparer.Ordinal);

    /// <summary>Counts a change; false when there were too many.</summary>
    public bool Admits(string subject)
    {
        var now = clock.GetUtcNow();
        var latest = _changes.GetOrAdd(subject, _ => new Queue<DateTimeOffset>(Most));
        lock (latest)
        {
            while (latest.TryPeek(out var first) && now - first >= Window)
                latest.Dequeue();
            if (latest.Count == Most)
                return false;
            latest.Enqueue(now);
            return true;
        }
    }
}
