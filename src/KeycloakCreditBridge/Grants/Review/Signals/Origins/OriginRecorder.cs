using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Review.Signals.Origins;

/// <summary>Keeps from where users registered as events are read, where the grants of their realm are reviewed.</summary>
internal sealed partial class OriginRecorder(OriginStore store, Hot<FraudRules> rules, ILogger<OriginRecorder> logger)
{
    /// <summary>Keeps what events say. A signal that is missing counts nothing, so that a failure stops no event.</summary>
    public async Task RecordAsync(string realm, IReadOnlyCollection<Origin> origins, CancellationToken cancellationToken)
    {
        if (origins.Count == 0 || rules.Current.Of(realm) is null)
            return;
        try
        {
            await store.RecordAsync(realm, origins, cancellationToken);
        }
        catch (NpgsqlException exception)
        {
            LogNotKept(realm, origins.Count, PrivilegeErrors.Describe(exception));
        }
    }

    [LoggerMessage(EventId = 1062, Level = LogLevel.Warning,
        Message = "From where {Count} users of realm {Realm} registered could not be kept, and says nothing about them: {Reason}")]
    private partial void LogNotKept(string realm, int count, string reason);
}
