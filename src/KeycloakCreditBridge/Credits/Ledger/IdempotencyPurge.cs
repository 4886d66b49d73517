using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Deletes old Idempotency-Keys.</summary>
internal sealed partial class IdempotencyPurge(
    IdempotencyKeyStore store, SchemaGate gate, IOptions<CreditsOptions> options, TimeProvider clock, ILogger<IdempotencyPurge> logger)
    : Purge(TimeSpan.FromMinutes(10), gate, clock)
{
    internal override Task<int> PurgeAsync(CancellationToken cancellationToken) =>
        PurgeAsync(store.PurgeAsync, options.Value.IdempotencyRetention, cancellationToken);

    [LoggerMessage(EventId = 810, Level = LogLevel.Warning,
        Message = "Could not delete old Idempotency-Keys; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
