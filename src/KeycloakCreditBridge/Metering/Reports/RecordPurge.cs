using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Forgets from time to time records that were charged or refused long ago, in batches small enough to hold nobody up.</summary>
internal sealed partial class RecordPurge(
    UsageStore store, SchemaGate gate, IOptions<MeteringOptions> options, TimeProvider clock, ILogger<RecordPurge> logger)
    : BackgroundService
{
    private const int BatchSize = 1_000;

    private static readonly TimeSpan Every = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await PurgeAsync(stoppingToken);
            }
            catch (NpgsqlException exception)
            {
                LogInterrupted(exception.Message);
            }

            await Task.Delay(Every, clock, stoppingToken);
        }
    }

    /// <summary>Forgets every record that is too old, and returns how many.</summary>
    internal async Task<int> PurgeAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        return await PurgeAsync(store.PurgeAsync, now - options.Value.RecordRetention, cancellationToken)
            + await PurgeAsync(store.PurgeRefusalsAsync, now - options.Value.RefusalRetention, cancellationToken);
    }

    private static async Task<int> PurgeAsync(
        Func<DateTimeOffset, int, CancellationToken, Task<int>> purge, DateTimeOffset before, CancellationToken cancellationToken)
    {
        var all = 0;
        for (var purged = BatchSize; purged == BatchSize; all += purged)
            purged = await purge(before, BatchSize, cancellationToken);
        return all;
    }

    [LoggerMessage(EventId = 856, Level = LogLevel.Warning, Message = "Records that were charged or refused long ago are forgotten later: {Reason}")]
    private partial void LogInterrupted(string reason);
}
