using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Outbox.Reading;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Outbox.Recording;

/// <summary>Deletes events that are kept no longer.</summary>
internal sealed partial class OutboxPurge(
    OutboxStore store, SchemaGate gate, IOptions<OutboxOptions> options, TimeProvider clock, ILogger<OutboxPurge> logger)
    : Purge(TimeSpan.FromHours(1), gate, clock)
{
    internal override Task<int> PurgeAsync(CancellationToken cancellationToken) =>
        PurgeAsync(store.PurgeAsync, options.Value.Keep, cancellationToken);

    [LoggerMessage(EventId = 1102, Level = LogLevel.Warning,
        Message = "Old events about credits could not be deleted; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
