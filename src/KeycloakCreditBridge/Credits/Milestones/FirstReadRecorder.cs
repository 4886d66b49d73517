using System.Collections.Concurrent;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage.Sessions;

namespace KeycloakCreditBridge.Credits.Milestones;

/// <summary>Notes when a balance is read for the first time, behind the answers and in groups: no reader waits for it.</summary>
internal sealed partial class FirstReadRecorder(
    MilestoneStore store, SchemaGate gate, TimeProvider clock, ILogger<FirstReadRecorder> logger) : BackgroundService
{
    // A first read that does not fit is noted at the next one.
    private const int MostWaiting = 50_000;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _waiting = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>An account was read that had no first read on record.</summary>
    public void Add(string accountId)
    {
        if (Volatile.Read(ref _count) < MostWaiting && _waiting.TryAdd(accountId, clock.GetUtcNow()))
            Interlocked.Increment(ref _count);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await gate.WaitAsync(stoppingToken);
            await new BackgroundLoop(clock, LongestRetryDelay, Failed).RunAsync(WriteAsync, Pause, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await WriteRestAsync();
        }

        void Failed(Exception exception, bool isNew)
        {
            if (!isNew)
                return;
            var reason = PrivilegeErrors.Describe(exception).ReplaceLineEndings(" ");
            LogNotWritten(reason);
        }
    }

    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        var reads = _waiting.ToArray();
        if (reads.Length == 0)
            return;
        await store.ReadAsync(reads, cancellationToken);
        foreach (var (account, _) in reads)
        {
            if (_waiting.TryRemove(account, out _))
                Interlocked.Decrement(ref _count);
        }
    }

    private async Task WriteRestAsync()
    {
        using var timeout = new CancellationTokenSource(EndTimeout);
        try
        {
            await WriteAsync(timeout.Token);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            var reason = PrivilegeErrors.Describe(exception).ReplaceLineEndings(" ");
            LogNotWritten(reason);
        }
    }

    [LoggerMessage(EventId = 848, Level = LogLevel.Warning,
        Message = "First reads of balances are not noted yet; they are noted when PostgreSQL takes them: {Reason}")]
    private partial void LogNotWritten(string reason);
}
