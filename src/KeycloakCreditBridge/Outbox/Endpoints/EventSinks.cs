using KeycloakCreditBridge.Brokers;

namespace KeycloakCreditBridge.Outbox.Endpoints;

/// <summary>Brings events to one endpoint.</summary>
internal interface IEventSink : IDisposable
{
    /// <summary>Sends events, those of an account in their order and none behind one that was not taken.</summary>
    /// <exception cref="OperationCanceledException">What was sent until then may have been taken.</exception>
    Task<Round> RoundAsync(IReadOnlyList<OutboxEvent> events, CancellationToken cancellationToken);
}

/// <summary>Endpoints by the kind of their address.</summary>
internal static class EventSinks
{
    /// <param name="name">As the settings name it.</param>
    /// <param name="options">Its settings, which are valid.</param>
    /// <param name="source">The `source` of CloudEvents.</param>
    /// <param name="clock">The time of signatures.</param>
    public static IEventSink Of(string name, EndpointOptions options, string source, TimeProvider clock) => options.IsBroker
        ? new BrokerSink(
            options,
            new BrokerAccount(
                options.Url, options.UserName, options.Password, $"{OutboxOptions.Section}:Endpoints:{name}", "docs/events.md"),
            source)
        : new EndpointClient(options, EndpointConnection.Of(options), source, clock);
}
