using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Grants.Review.Signals.Origins;

/// <summary>Forgets networks after their time.</summary>
internal sealed partial class OriginPurge(OriginStore store, SchemaGate gate, TimeProvider clock, ILogger<OriginPurge> logger)
    : Purge(TimeSpan.FromHours(1), gate, clock)
{
    internal override Task<int> PurgeAsync(CancellationToken cancellationToken) =>
        PurgeAsync(store.PurgeAsync, OriginStore.Retention, cancellationToken);

    [LoggerMessage(EventId = 1064, Level = LogLevel.Warning,
        Message = "Networks of registrations could not be forgotten after their time; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
