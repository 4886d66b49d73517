using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>
/// Balances read a moment ago, by caller and account: the database's own answer to the same question, so that no caller sees what the
/// database would not show. None is older than a second, even when notifications are lost.
/// </summary>
/// <remarks>
/// Changes are numbered. A reading bears the number of the last change before it began, and is current while its account has no higher
/// one. So a reading that a change overtook is never used, even when it is stored after the change. Accounts share their numbers by hash:
/// a change of one may cost another a reading.
/// </remarks>
internal sealed class BalanceCache(IOptions<CreditsOptions> options, CreditsMetrics metrics, TimeProvider clock)
{
    /// <summary>Counted from when the database was asked.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    private const int Slots = 1 << 14;

    private readonly int _most = options.Value.BalanceCache;
    private readonly long[] _changes = new long[Slots];
    private readonly Lock _rotating = new();
    private long _last;
    private long _lastOfAll;
    private volatile bool _isListening;
    private volatile Generation _young = new(0);
    private volatile Generation _old = new(0);

    /// <summary>Whether changes by other writers are received. Until then nothing is reused.</summary>
    public bool IsListening => _isListening;

    /// <summary>The cached balance, or what <paramref name="read"/> gives. That there is no account is not cached.</summary>
    public async ValueTask<AccountBalance?> ReadAsync(AccountSelector selector, Func<Task<AccountBalance?>> read)
    {
        if (!_isListening || _most == 0)
        {
            metrics.BalanceRead(fromMemory: false);
            return await read();
        }

        var key = new CacheKey(selector.Realm, selector.User, selector.IsOwn);
        if ((_young.Readings.TryGetValue(key, out var known) || _old.Readings.TryGetValue(key, out known)) && IsCurrent(known))
        {
            metrics.BalanceRead(fromMemory: true);
            return known.Balance;
        }

        metrics.BalanceRead(fromMemory: false);
        var (change, readAt) = (Interlocked.Read(ref _last), clock.GetTimestamp());
        if (await read() is not { } balance)
            return null;
        Store(key, new Reading(balance, change, readAt));
        return balance;
    }

    /// <summary>Has a balance that changed read again. To be called when the change is committed.</summary>
    public void Forget(string accountId) => Raise(ref _changes[SlotOf(accountId)], Interlocked.Increment(ref _last));

    /// <summary>Has every balance read again.</summary>
    public void ForgetAll() => Raise(ref _lastOfAll, Interlocked.Increment(ref _last));

    /// <summary>From now on changes by other writers are received, and none from before is missed.</summary>
    public void StartListening()
    {
        ForgetAll();
        _isListening = true;
        metrics.SetListening(true);
    }

    /// <summary>From now on changes by other writers may be missed.</summary>
    public void StopListening()
    {
        _isListening = false;
        metrics.SetListening(false);
    }

    private bool IsCurrent(Reading reading) =>
        Volatile.Read(ref _changes[SlotOf(reading.Balance.AccountId)]) <= reading.Change
        && Interlocked.Read(ref _lastOfAll) <= reading.Change
        && clock.GetElapsedTime(reading.ReadAt) is var age && age < MaxAge
        && (reading.Balance.SecondsToEnd is not { } seconds || age.TotalSeconds < seconds);

    // Two generations bound the memory: the older one is dropped when the younger one is full or a second old.
    private void Store(CacheKey key, Reading reading)
    {
        var young = _young;
        if (Interlocked.Increment(ref young.Stored) > Math.Max(1, _most / 2) || clock.GetElapsedTime(young.Since) > MaxAge)
            young = Rotate(young);
        young.Readings[key] = reading;
    }

    private Generation Rotate(Generation full)
    {
        lock (_rotating)
        {
            if (_young == full)
                (_old, _young) = (full, new Generation(clock.GetTimestamp()));
            return _young;
        }
    }

    private static int SlotOf(string accountId) => accountId.GetHashCode(StringComparison.Ordinal) & (Slots - 1);

    private static void Raise(ref long to, long change)
    {
        for (var seen = Volatile.Read(ref to); seen < change;)
        {
            var before = Interlocked.CompareExchange(ref to, change, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    private readonly record struct CacheKey(string Realm, string User, bool IsOwn);

    /// <param name="Change">The last change before it began.</param>
    private sealed record Reading(AccountBalance Balance, long Change, long ReadAt);

    private sealed class Generation(long since)
    {
        public readonly ConcurrentDictionary<CacheKey, Reading> Readings = new();
        public int Stored;

        public long Since => since;
    }
}
