using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Setup.Operators;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Sessions;

/// <summary>Deletes sessions that ended by their age.</summary>
internal sealed partial class PageSessionPurge(
    PageSessionStore store, SchemaGate gate, IOptions<PageOptions> options, TimeProvider clock, ILogger<PageSessionPurge> logger)
    : Purge(TimeSpan.FromMinutes(10), gate, clock)
{
    internal override Task<int> PurgeAsync(CancellationToken cancellationToken) => PurgeAsync(
        (before, most, token) => store.PurgeAsync(before, before + options.Value.SessionLifetime - options.Value.SessionIdle, most, token),
        options.Value.SessionLifetime, cancellationToken);

    [LoggerMessage(EventId = 1302, Level = LogLevel.Warning,
        Message = "Could not delete old sessions of operators; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
