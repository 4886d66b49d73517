using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hosting;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Review.Holds.Upkeep;

/// <summary>Forgets holds a while after their decision. What was refused stays refused.</summary>
internal sealed partial class HoldPurge(
    NpgsqlDataSource dataSource, Hot<GrantsOptions> options, SchemaGate gate, TimeProvider clock, ILogger<HoldPurge> logger)
    : Purge(TimeSpan.FromDays(1), gate, clock)
{
    internal override Task<int> PurgeAsync(CancellationToken cancellationToken) => PurgeAsync(
        (before, limit, token) => DueHoldStore.PurgeAsync(dataSource, before, limit, token), options.Current.Fraud.RetainHolds,
        cancellationToken);

    [LoggerMessage(EventId = 1091, Level = LogLevel.Warning,
        Message = "Decided holds could not be forgotten after their time; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
