using System.Text.Json;
using KeycloakCreditBridge.Hosting;
using Npgsql;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Hears of balances that others changed. While it cannot, every balance is read from the database.</summary>
internal sealed partial class BalanceListener(
    NpgsqlDataSource dataSource, BalanceCache cache, BalanceInvalidator own, SchemaGate gate, TimeProvider clock, ILogger<BalanceListener> logger)
    : ChannelListener(dataSource, BalanceInvalidationStore.Channel, gate, clock)
{
    protected override void OnListening() => cache.StartListening();

    protected override void OnStopped() => cache.StopListening();

    protected override void OnNotification(string payload)
    {
        // Anybody may notify anything.
        BalanceInvalidation? news = null;
        try
        {
            news = JsonSerializer.Deserialize(payload, BalanceInvalidationJson.Default.BalanceInvalidation);
        }
        catch (JsonException exception)
        {
            LogNotUnderstood(exception.Message);
        }

        if (news?.ProcessId == own.ProcessId)
            return;
        if (news?.AccountIds is not { } accounts)
        {
            cache.ForgetAll();
            return;
        }

        foreach (var accountId in accounts)
            cache.Forget(accountId);
    }

    [LoggerMessage(EventId = 820, Level = LogLevel.Warning, Message = "Stopped listening for changed balances, so each is read from the database: {Reason}")]
    protected override partial void LogInterrupted(string reason);

    [LoggerMessage(EventId = 821, Level = LogLevel.Information, Message = "Listens for changed balances again.")]
    protected override partial void LogRecovered();

    [LoggerMessage(EventId = 823, Level = LogLevel.Warning, Message = "A notification of changed balances is not understood, so all are read again: {Reason}")]
    private partial void LogNotUnderstood(string reason);
}
