using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Credits;
using KeycloakCreditBridge.Credits.Balances;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Credits.Balances;

public sealed class BalanceCacheTests : IDisposable
{
    private readonly Meter _meter = new("test");
    private readonly ManualTimeProvider _clock = new();
    private int _reads;

    [Fact]
    public async Task A_balance_is_read_once_until_it_changes_and_again_after_a_second()
    {
        var cache = Listening();
        await ReadAsync(cache, "ana");
        await ReadAsync(cache, "ana");
        Assert.Equal(1, _reads);
        cache.Forget("ana");
        await ReadAsync(cache, "ana");
        Assert.Equal(2, _reads);
        _clock.Advance(TimeSpan.FromMilliseconds(999));
        await ReadAsync(cache, "ana");
        Assert.Equal(2, _reads);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        await ReadAsync(cache, "ana");
        Assert.Equal(3, _reads);
    }

    [Fact]
    public async Task What_was_read_before_a_change_is_not_used_after_it_even_when_it_is_stored_later()
    {
        foreach (var tell in (Action<BalanceCache>[])[cache => cache.Forget("ana"), cache => cache.ForgetAll(),
            cache => cache.StartListening()])
        {
            var cache = Listening();
            var slow = new TaskCompletionSource<AccountBalance?>();
            var reading = cache.ReadAsync(Reach("ana"), () => slow.Task);
            tell(cache);
            slow.SetResult(Of("ana"));
            await reading;
            _reads = 0;
            await ReadAsync(cache, "ana");
            Assert.Equal(1, _reads);
        }
    }

    [Fact]
    public async Task The_age_of_a_balance_counts_from_when_the_database_was_asked()
    {
        var cache = Listening();
        var slow = new TaskCompletionSource<AccountBalance?>();
        var reading = cache.ReadAsync(Reach("ana"), () => slow.Task);
        _clock.Advance(BalanceCache.MaxAge);
        slow.SetResult(Of("ana"));
        await reading;
        await ReadAsync(cache, "ana");
        Assert.Equal(1, _reads);
    }

    [Fact]
    public async Task While_not_listening_every_balance_is_read_and_earlier_ones_are_forgotten()
    {
        var cache = Listening();
        await ReadAsync(cache, "ana");
        cache.StopListening();
        await ReadAsync(cache, "ana");
        await ReadAsync(cache, "ana");
        Assert.Equal(3, _reads);
        cache.StartListening();
        await ReadAsync(cache, "ana");
        Assert.Equal(4, _reads);
    }

    [Fact]
    public async Task That_there_is_no_account_is_not_remembered()
    {
        var cache = Listening();
        Assert.Null(await cache.ReadAsync(Reach("ana"), () => Task.FromResult<AccountBalance?>(null)));
        Assert.NotNull(await cache.ReadAsync(Reach("ana"), () => Task.FromResult<AccountBalance?>(Of("ana"))));
    }

    [Fact]
    public async Task The_same_id_in_another_realm_or_under_another_right_is_cached_apart()
    {
        var cache = Listening();
        foreach (var reach in (AccountSelector[])[Reach("ana"), Reach("ana") with { Realm = "other" }, Reach("ana") with { IsOwn = false }])
            await cache.ReadAsync(reach, () => CountedAsync("ana"));
        Assert.Equal(3, _reads);
    }

    [Fact]
    public async Task No_more_is_remembered_than_configured()
    {
        var cache = Listening(most: 10);
        for (var number = 0; number < 1_000; number++)
            await ReadAsync(cache, $"p{number}");
        _reads = 0;
        for (var number = 0; number < 1_000; number++)
            await cache.ReadAsync(Reach($"p{number}"), () => { _reads++; return Task.FromResult<AccountBalance?>(null); });
        Assert.InRange(_reads, 990, 999);
    }

    [Fact]
    public async Task Readers_and_a_writer_at_once_never_see_a_balance_older_than_the_last_published_change()
    {
        var cache = Listening();
        var (stored, told, stale, reads) = (0, 0, 0, 0);
        using var done = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                var atLeast = Volatile.Read(ref told);
                var seen = await cache.ReadAsync(Reach("ana"), async () =>
                {
                    var value = Volatile.Read(ref stored);
                    await Task.Yield();
                    return new AccountBalance { AccountId = "ana", Answer = BitConverter.GetBytes(value) };
                });
                if (BitConverter.ToInt32(seen!.Answer) < atLeast)
                    Interlocked.Increment(ref stale);
                Interlocked.Increment(ref reads);
            }
        })).ToArray();
        // It tests reads that writes overtake: the slower side is waited for.
        for (var value = 1; (value <= 20_000 || Volatile.Read(ref reads) < 20_000) && !Array.Exists(readers,
            reader => reader.IsCompleted); value++)
        {
            Volatile.Write(ref stored, value);
            cache.Forget("ana");
            Volatile.Write(ref told, value);
        }

        await done.CancelAsync();
        await Task.WhenAll(readers);
        Assert.Equal(0, stale);
    }

    public void Dispose() => _meter.Dispose();

    private BalanceCache Listening(int most = 1_000)
    {
        var cache = new BalanceCache(Options.Create(new CreditsOptions { BalanceCache = most }), new CreditsMetrics(_meter), _clock);
        cache.StartListening();
        return cache;
    }

    private ValueTask<AccountBalance?> ReadAsync(BalanceCache cache, string user) => cache.ReadAsync(Reach(user), () => CountedAsync(user));

    private Task<AccountBalance?> CountedAsync(string user)
    {
        _reads++;
        return Task.FromResult<AccountBalance?>(Of(user));
    }

    private static AccountSelector Reach(string user) => new("demo", user, true, []);

    private static AccountBalance Of(string account) => new() { AccountId = account };
}
