using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Outbox.Recording;

/// <summary>
/// Has the database record events where the settings say so. A replica that wants events looks each minute whether they are still recorded:
/// one with other settings may have switched them off at its start.
/// </summary>
internal sealed partial class EventSwitch(
    EventSwitchStore store, SchemaGate gate, IOptions<OutboxOptions> options, TimeProvider clock, ILogger<EventSwitch> logger)
    : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        var loop = new BackgroundLoop(clock, Every, Failed);
        if (options.Value.Enabled)
            await loop.RunAsync(SwitchAsync, Every, stoppingToken);
        else
            await loop.RetryAsync(SwitchAsync, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            if (isNew)
                LogNotSwitched(options.Value.Enabled ? "on" : "off", PrivilegeErrors.Describe(exception));
        }
    }

    internal async Task SwitchAsync(CancellationToken cancellationToken)
    {
        // What stands is read first, so that a role without the right to switch goes on where nothing has to be switched.
        if (!options.Value.Enabled && await store.IsOnAsync(cancellationToken) == false)
            return;
        if (await store.SwitchAsync(options.Value.Enabled ? options.Value.Low : null, cancellationToken))
            LogSwitched(options.Value.Enabled ? "on" : "off");
    }

    [LoggerMessage(EventId = 1100, Level = LogLevel.Information, Message = "Events about credits are switched {State} in the database.")]
    private partial void LogSwitched(string state);

    [LoggerMessage(
        EventId = 1101,
        Level = LogLevel.Warning,
        Message = "Events about credits could not be switched {State}, and the bridge tries again: {Reason}")]
    private partial void LogNotSwitched(string state, string reason);
}
