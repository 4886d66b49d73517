using System.Threading.Channels;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage.Sessions;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>
/// Invalidates balances after statements that suppress the trigger's notification: in this process at once, and in other replicas a few
/// milliseconds later, many changes in one notification. Without it other replicas see a change within <see cref="BalanceCache.MaxAge"/>.
/// </summary>
internal sealed partial class BalanceInvalidator(
    BalanceCache cache, BalanceInvalidationStore store, SchemaGate gate, TimeProvider clock,
    ILogger<BalanceInvalidator> logger) : BackgroundService
{
    private const int MostWaiting = 10_000;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(10);

    private readonly Channel<string> _changed = Channel.CreateBounded<string>(
        new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });

    private int _isAboutAll;

    /// <summary>Identifies this process among the replicas.</summary>
    public string ProcessId { get; } = Guid.NewGuid().ToString("n");

    /// <summary>These balances changed and the change is committed.</summary>
    public void Invalidate(IEnumerable<string> accountIds)
    {
        foreach (var accountId in accountIds)
        {
            cache.Forget(accountId);
            if (!_changed.Writer.TryWrite(accountId))
                PublishAllLater();
        }
    }

    /// <summary>It is unknown whether a change was committed.</summary>
    public void InvalidateAll()
    {
        cache.ForgetAll();
        PublishAllLater();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        var loop = new BackgroundLoop(clock, BalanceCache.MaxAge, Failed);
        await loop.RunAsync(PublishAsync, Pace, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            if (isNew)
                LogNotPublished(PrivilegeErrors.Describe(exception));
        }
    }

    private void PublishAllLater()
    {
        Interlocked.Exchange(ref _isAboutAll, 1);
        // Wakes the loop.
        _changed.Writer.TryWrite("");
    }

    private async Task PublishAsync(CancellationToken cancellationToken)
    {
        await _changed.Reader.WaitToReadAsync(cancellationToken);
        HashSet<string> accounts = new(StringComparer.Ordinal);
        while (_changed.Reader.TryRead(out var accountId))
            accounts.Add(accountId);
        await store.PublishAsync(ProcessId, Interlocked.Exchange(ref _isAboutAll, 0) == 1 ? null : accounts, cancellationToken);
    }

    [LoggerMessage(EventId = 822, Level = LogLevel.Warning,
        Message = "Could not notify other replicas of changed balances, so they see them up to a second later: {Reason}")]
    private partial void LogNotPublished(string reason);
}
