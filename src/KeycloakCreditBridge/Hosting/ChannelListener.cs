using Npgsql;

namespace KeycloakCreditBridge.Hosting;

/// <summary>Listens on a channel of PostgreSQL's for as long as the process runs, and again after each interruption.</summary>
internal abstract class ChannelListener(NpgsqlDataSource dataSource, string channel, SchemaGate gate, TimeProvider clock) : BackgroundService
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
                OnStopped();
            }

            await Task.Delay(RetryAfter, clock, stoppingToken);
        }
    }

    /// <summary>Whatever is told from now on is heard; what was told before was not.</summary>
    protected abstract void OnListening();

    protected abstract void OnNotification(string payload);

    protected virtual void OnStopped()
    {
    }

    protected abstract void LogInterrupted(string reason);

    protected abstract void LogRecovered();

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        connection.Notification += (_, notification) => OnNotification(notification.Payload);
#pragma warning disable CA2100 // The channels are constants.
        await using (var listen = new NpgsqlCommand($"listen {channel}", connection))
#pragma warning restore CA2100
            await listen.ExecuteNonQueryAsync(cancellationToken);

        if (_interrupted)
            LogRecovered();
        _interrupted = false;
        OnListening();
        while (true)
            await connection.WaitAsync(cancellationToken);
    }
}
