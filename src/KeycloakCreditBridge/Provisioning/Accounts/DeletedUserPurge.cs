using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>
/// Deletes the records of deleted users without an account. They serve to refuse older readings of the same users, which end within
/// minutes.
/// </summary>
internal sealed partial class DeletedUserPurge(
    DeletedUserStore store, SchemaGate gate, TimeProvider clock, ILogger<DeletedUserPurge> logger)
    : Purge(TimeSpan.FromHours(1), gate, clock)
{
    private static readonly TimeSpan Retention = TimeSpan.FromDays(1);

    internal override Task<int> PurgeAsync(CancellationToken cancellationToken) =>
        PurgeAsync(store.PurgeAsync, Retention, cancellationToken);

    [LoggerMessage(EventId = 417, Level = LogLevel.Warning,
        Message = "Old records of deleted users without an account could not be deleted; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
