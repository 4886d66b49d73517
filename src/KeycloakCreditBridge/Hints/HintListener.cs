using KeycloakCreditBridge.Hosting;
using Npgsql;

namespace KeycloakCreditBridge.Hints;

/// <summary>
/// Wakes this process when another replica stored hints. Without it they wait for the worker's next claim, about a second.
/// </summary>
internal sealed partial class HintListener(
    NpgsqlDataSource dataSource, HintSignal signal, SchemaGate gate, TimeProvider clock, ILogger<HintListener> logger)
    : ChannelListener(dataSource, HintStore.Channel, gate, clock)
{
    // Hints that were stored while this process did not listen.
    protected override void OnListening() => signal.Raise();

    protected override void OnNotification(string payload) => signal.Raise();

    [LoggerMessage(EventId = 301, Level = LogLevel.Warning,
        Message = "Listening for hints of other replicas is interrupted and continues by itself: {Reason}")]
    protected override partial void LogInterrupted(string reason);

    [LoggerMessage(EventId = 302, Level = LogLevel.Information, Message = "Listening for hints of other replicas continues.")]
    protected override partial void LogRecovered();
}
