using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Hints;

/// <summary>Wakes this process when another replica stored hints. Without it they wait for the worker's next look, about a second.</summary>
internal sealed partial class HintListener(
    NpgsqlDataSource dataSource, HintSignal signal, SchemaGate gate, TimeProvider clock, ILogger<HintListener> logger) : BackgroundService
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
                await Task.Delay(RetryAfter, clock, stoppingToken);
            }
        }
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        connection.Notification += (_, _) => signal.Raise();
        await using (var listen = new NpgsqlCommand($"listen {HintStore.Channel}", connection))
            await listen.ExecuteNonQueryAsync(cancellationToken);

        if (_interrupted)
            LogRecovered();
        _interrupted = false;
        // What was stored while nobody listened.
        signal.Raise();
        while (true)
            await connection.WaitAsync(cancellationToken);
    }

    [LoggerMessage(EventId = 301, Level = LogLevel.Warning, Message = "Stopped listening for hints of other replicas, will listen again: {Reason}")]
    private partial void LogInterrupted(string reason);

    [LoggerMessage(EventId = 302, Level = LogLevel.Information, Message = "Listens for hints of other replicas again.")]
    private partial void LogRecovered();
}
