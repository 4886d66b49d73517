using System.Threading.Channels;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Credits.Balances.Cache;

/// <summary>
/// For statements that move balances quietly: has this process read them again at once, and tells other replicas a few milliseconds later,
/// of many changes together. What cannot be told, others see within <see cref="BalanceCache.MaxAge"/> all the same.
/// </summary>
internal sealed partial class BalanceAnnouncer(
    BalanceCache cache, BalanceNewsStore store, SchemaGate gate, TimeProvider clock, ILogger<BalanceAnnouncer> logger) : BackgroundService
{
    private const int MostWaiting = 10_000;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(10);

    private readonly Channel<string> _changed = Channel.CreateBounded<string>(
        new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });

    private int _isAboutAll;

    /// <summary>Tells this process from others.</summary>
    public string Process { get; } = Guid.NewGuid().ToString("n");

    /// <summary>These balances changed, and that is committed.</summary>
    public void Changed(IEnumerable<string> accountIds)
    {
        foreach (var accountId in accountIds)
        {
            cache.Forget(accountId);
            if (!_changed.Writer.TryWrite(accountId))
                TellOfAll();
        }
    }

    /// <summary>Nobody knows whether a change is committed.</summary>
    public void Unconfirmed()
    {
        cache.ForgetAll();
        TellOfAll();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        var isInterrupted = false;
        while (await _changed.Reader.WaitToReadAsync(stoppingToken))
        {
            await Task.Delay(Pace, clock, stoppingToken);
            try
            {
                await TellAsync(stoppingToken);
                isInterrupted = false;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                if (!isInterrupted)
                    LogNotTold(exception.Message);
                isInterrupted = true;
            }
        }
    }

    private void TellOfAll()
    {
        Interlocked.Exchange(ref _isAboutAll, 1);
        // Wakes the one that tells.
        _changed.Writer.TryWrite("");
    }

    private Task TellAsync(CancellationToken cancellationToken)
    {
        HashSet<string> accounts = new(StringComparer.Ordinal);
        while (_changed.Reader.TryRead(out var accountId))
            accounts.Add(accountId);
        return store.TellAsync(Process, Interlocked.Exchange(ref _isAboutAll, 0) == 1 ? null : accounts, cancellationToken);
    }

    [LoggerMessage(EventId = 822, Level = LogLevel.Warning, Message = "Other replicas were not told of changed balances and see them up to a second later: {Reason}")]
    private partial void LogNotTold(string reason);
}
