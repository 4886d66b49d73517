using System.Text.Json;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Credits.Balances.Cache;

/// <summary>Hears of balances that others changed. While it cannot, every balance is read from the database.</summary>
internal sealed partial class BalanceListener(
    NpgsqlDataSource dataSource, BalanceCache cache, BalanceAnnouncer own, SchemaGate gate, TimeProvider clock, ILogger<BalanceListener> logger)
    : ChannelListener(dataSource, BalanceNewsStore.Channel, gate, clock)
{
    protected override void Started() => cache.StartListening();

    protected override void Stopped() => cache.StopListening();

    protected override void Hear(string payload)
    {
        // Anybody may notify anything.
        BalanceNews? news = null;
        try
        {
            news = JsonSerializer.Deserialize(payload, BalanceNewsJson.Default.BalanceNews);
        }
        catch (JsonException exception)
        {
            LogNotUnderstood(exception.Message);
        }

        if (news?.From == own.Process)
            return;
        if (news?.Accounts is not { } accounts)
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
