using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Credits.Moves;

/// <summary>Forgets old Idempotency-Keys from time to time, in batches small enough to hold nobody up.</summary>
internal sealed partial class IdempotencyPurge(
    IdempotencyKeyStore store, SchemaGate gate, IOptions<CreditsOptions> options, TimeProvider clock, ILogger<IdempotencyPurge> logger)
    : BackgroundService
{
    private const int BatchSize = 1_000;

    private static readonly TimeSpan Every = TimeSpan.FromMinutes(10);

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

    /// <summary>Forgets every key that is too old, and returns how many.</summary>
    internal async Task<int> PurgeAsync(CancellationToken cancellationToken)
    {
        var before = clock.GetUtcNow() - options.Value.IdempotencyRetention;
        var all = 0;
        for (var purged = BatchSize; purged == BatchSize; all += purged)
            purged = await store.PurgeAsync(before, BatchSize, cancellationToken);
        return all;
    }

    [LoggerMessage(EventId = 810, Level = LogLevel.Warning, Message = "Old Idempotency-Keys are forgotten later: {Reason}")]
    private partial void LogInterrupted(string reason);
}
