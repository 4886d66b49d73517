using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Forgets old Idempotency-Keys.</summary>
internal sealed partial class IdempotencyPurge(
    IdempotencyKeyStore store, SchemaGate gate, IOptions<CreditsOptions> options, TimeProvider clock, ILogger<IdempotencyPurge> logger)
    : Purge(TimeSpan.FromMinutes(10), gate, clock)
{
    internal override Task<int> PurgeAsync(CancellationToken cancellationToken) =>
        PurgeAsync(store.PurgeAsync, options.Value.IdempotencyRetention, cancellationToken);

    [LoggerMessage(EventId = 810, Level = LogLevel.Warning, Message = "Old Idempotency-Keys are forgotten later: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
