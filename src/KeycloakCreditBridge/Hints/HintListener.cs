using KeycloakCreditBridge.Hosting;
using Npgsql;

namespace KeycloakCreditBridge.Hints;

/// <summary>Wakes this process when another replica stored hints. Without it they wait for the worker's next look, about a second.</summary>
internal sealed partial class HintListener(
    NpgsqlDataSource dataSource, HintSignal signal, SchemaGate gate, TimeProvider clock, ILogger<HintListener> logger)
    : ChannelListener(dataSource, HintStore.Channel, gate, clock)
{
    // What was stored while nobody listened.
    protected override void OnListening() => signal.Raise();

    protected override void OnNotification(string payload) => signal.Raise();

    [LoggerMessage(EventId = 301, Level = LogLevel.Warning, Message = "Stopped listening for hints of other replicas, will listen again: {Reason}")]
    protected override partial void LogInterrupted(string reason);

    [LoggerMessage(EventId = 302, Level = LogLevel.Information, Message = "Listens for hints of other replicas again.")]
    protected override partial void LogRecovered();
}
