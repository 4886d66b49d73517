using KeycloakCreditBridge.Storage.Sessions;

namespace KeycloakCreditBridge.Hosting;

/// <summary>Deletes old rows from time to time, in batches so small that they block no other work.</summary>
internal abstract class Purge(TimeSpan every, SchemaGate gate, TimeProvider clock) : BackgroundService
{
    private const int BatchSize = 1_000;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        await new BackgroundLoop(clock, every, Failed).RunAsync(PurgeAsync, every, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            if (isNew)
                LogInterrupted(PrivilegeErrors.Describe(exception));
        }
    }

    /// <summary>Deletes everything that is too old, and returns how many rows.</summary>
    internal abstract Task<int> PurgeAsync(CancellationToken cancellationToken);

    protected abstract void LogInterrupted(string reason);

    /// <summary>Deletes what is older than <paramref name="retention"/>, a batch at a time.</summary>
    protected async Task<int> PurgeAsync(
        Func<DateTimeOffset, int, CancellationToken, Task<int>> delete, TimeSpan retention, CancellationToken cancellationToken)
    {
        var (all, before) = (0, clock.GetUtcNow() - retention);
        for (var purged = BatchSize; purged == BatchSize; all += purged)
            purged = await delete(before, BatchSize, cancellationToken);
        return all;
    }
}
