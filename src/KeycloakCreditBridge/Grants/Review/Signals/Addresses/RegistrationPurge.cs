using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Grants.Review.Signals.Addresses;

/// <summary>Forgets what signals keep of users whose account is closed or that never had one.</summary>
internal sealed partial class RegistrationPurge(
    RegistrationStore store, SchemaGate gate, TimeProvider clock, ILogger<RegistrationPurge> logger)
    : Purge(TimeSpan.FromDays(1), gate, clock)
{
    private static readonly TimeSpan Retention = TimeSpan.FromDays(30);

    internal override Task<int> PurgeAsync(CancellationToken cancellationToken) =>
        PurgeAsync(store.PurgeAsync, Retention, cancellationToken);

    [LoggerMessage(EventId = 1065, Level = LogLevel.Warning,
        Message = "What signals keep of deleted users could not be forgotten after its time; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
