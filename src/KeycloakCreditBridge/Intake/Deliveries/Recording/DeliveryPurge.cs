using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Deliveries.Recording;

/// <summary>Makes the days to come, and drops those that are kept no longer.</summary>
internal sealed partial class DeliveryPurge(
    DeliveryStore store, SchemaGate gate, IOptions<DeliveriesOptions> options, TimeProvider clock, ILogger<DeliveryPurge> logger)
    : Purge(TimeSpan.FromHours(1), gate, clock)
{
    private readonly TimeProvider _clock = clock;

    internal override async Task<int> PurgeAsync(CancellationToken cancellationToken)
    {
        var (now, keep) = (_clock.GetUtcNow(), options.Value.Keep);
        if (keep > TimeSpan.Zero)
            await store.MakeDaysAsync(now, cancellationToken);
        return await store.DropDaysAsync(DateOnly.FromDateTime((now - keep).UtcDateTime), cancellationToken);
    }

    [LoggerMessage(EventId = 233, Level = LogLevel.Warning,
        Message = "Days of deliveries could not be made or dropped; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
