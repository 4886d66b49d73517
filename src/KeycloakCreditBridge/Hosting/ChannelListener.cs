using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Hosting;

/// <summary>Listens on a PostgreSQL channel for as long as the process runs, and again after each interruption.</summary>
internal abstract class ChannelListener(
    NpgsqlDataSource dataSource, string channel, SchemaGate gate, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(2);

    private NpgsqlConnection? _connection;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        try
        {
            await new BackgroundLoop(clock, MaxRetryDelay, Failed, LogRecovered).RunAsync(
                ListenAsync, _ => Task.CompletedTask, stoppingToken);
        }
        finally
        {
            Disconnect();
        }

        void Failed(Exception exception, bool isNew)
        {
            Disconnect();
            if (isNew)
                LogInterrupted(PrivilegeErrors.Describe(exception));
        }
    }

    /// <summary>Notifications sent from now on are received; those sent before were not.</summary>
    protected abstract void OnListening();

    protected abstract void OnNotification(string payload);

    protected virtual void OnStopped()
    {
    }

    protected abstract void LogInterrupted(string reason);

    protected abstract void LogRecovered();

    // Connects in one round and waits for a notification in each of the next.
    private async Task<bool> ListenAsync(CancellationToken cancellationToken)
    {
        if (_connection is not null)
        {
            await _connection.WaitAsync(cancellationToken);
            return true;
        }

        _connection = await dataSource.OpenConnectionAsync(cancellationToken);
        _connection.Notification += (_, notification) => OnNotification(notification.Payload);
#pragma warning disable CA2100 // The channels are constants.
        await using var listen = new NpgsqlCommand($"listen {channel}", _connection);
#pragma warning restore CA2100
        await listen.ExecuteNonQueryAsync(cancellationToken);
        OnListening();
        return true;
    }

    private void Disconnect()
    {
        _connection?.Dispose();
        _connection = null;
        OnStopped();
    }
}
