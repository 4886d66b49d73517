using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Deletes old charged and refused records.</summary>
internal sealed partial class RecordPurge(
    UsageReportStore store, SchemaGate gate, IOptions<MeteringOptions> options, TimeProvider clock, ILogger<RecordPurge> logger)
    : Purge(TimeSpan.FromHours(1), gate, clock)
{
    internal override async Task<int> PurgeAsync(CancellationToken cancellationToken) =>
        await PurgeAsync(store.PurgeAsync, options.Value.RecordRetention, cancellationToken)
        + await PurgeAsync(store.PurgeRefusalsAsync, options.Value.RefusalRetention, cancellationToken);

    [LoggerMessage(
        EventId = 856, Level = LogLevel.Warning,
        Message = "Old charged and refused records could not be deleted; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
