using System.Text.Json;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Credits.Balances.Cache;

/// <summary>Hears of balances that others changed. While it cannot, every balance is read from the database.</summary>
internal sealed partial class BalanceListener(
    NpgsqlDataSource dataSource, BalanceCache cache, BalanceAnnouncer own, SchemaGate gate, TimeProvider clock, ILogger<BalanceListener> logger)
    : BackgroundService
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(2);

    private bool _interrupted;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                if (!_interrupted)
                    LogInterrupted(exception.Message);
                _interrupted = true;
            }
            finally
            {
                cache.StopListening();
            }

            await Task.Delay(RetryAfter, clock, stoppingToken);
        }
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        connection.Notification += (_, notification) => Hear(notification.Payload);
        await using (var listen = new NpgsqlCommand($"listen {BalanceNewsStore.Channel}", connection))
            await listen.ExecuteNonQueryAsync(cancellationToken);

        cache.StartListening();
        if (_interrupted)
            LogRecovered();
        _interrupted = false;
        while (true)
            await connection.WaitAsync(cancellationToken);
    }

    private void Hear(string payload)
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
    private partial void LogInterrupted(string reason);

    [LoggerMessage(EventId = 821, Level = LogLevel.Information, Message = "Listens for changed balances again.")]
    private partial void LogRecovered();

    [LoggerMessage(EventId = 823, Level = LogLevel.Warning, Message = "A notification of changed balances is not understood, so all are read again: {Reason}")]
    private partial void LogNotUnderstood(string reason);
}
