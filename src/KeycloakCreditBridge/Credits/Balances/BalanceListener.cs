using System.Text.Json;
using KeycloakCreditBridge.Hosting;
using Npgsql;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Listens for balances that other writers changed. While it cannot, every balance is read from the database.</summary>
internal sealed partial class BalanceListener(
    NpgsqlDataSource dataSource, BalanceCache cache, BalanceInvalidator own, SchemaGate gate, TimeProvider clock,
    ILogger<BalanceListener> logger)
    : ChannelListener(dataSource, BalanceInvalidationStore.Channel, gate, clock)
{
    protected override void OnListening() => cache.StartListening();

    protected override void OnStopped() => cache.StopListening();

    protected override void OnNotification(string payload)
    {
        // Any session of the database may notify anything.
        BalanceInvalidation? invalidation = null;
        try
        {
            invalidation = JsonSerializer.Deserialize(payload, BalanceInvalidationJson.Default.BalanceInvalidation);
        }
        catch (JsonException exception)
        {
            LogNotUnderstood(exception.Message);
        }

        if (invalidation?.ProcessId == own.ProcessId)
            return;
        if (invalidation?.AccountIds is not { } accounts)
        {
            cache.ForgetAll();
            return;
        }

        foreach (var accountId in accounts)
            cache.Forget(accountId);
    }

    [LoggerMessage(EventId = 820, Level = LogLevel.Warning,
        Message = "Stopped listening for changed balances; each is read from the database until listening works again: {Reason}")]
    protected override partial void LogInterrupted(string reason);

    [LoggerMessage(EventId = 821, Level = LogLevel.Information, Message = "Listens for changed balances again.")]
    protected override partial void LogRecovered();

    [LoggerMessage(EventId = 823, Level = LogLevel.Warning,
        Message = "Could not parse a notification of changed balances, so all balances are read again: {Reason}")]
    private partial void LogNotUnderstood(string reason);
}
