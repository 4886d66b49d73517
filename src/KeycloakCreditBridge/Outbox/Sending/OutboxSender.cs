using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Outbox.Endpoints;
using KeycloakCreditBridge.Outbox.Reading;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Outbox.Sending;

/// <summary>Sends events to each endpoint that this replica has the lease of.</summary>
internal sealed partial class OutboxSender(
    LeaseStore leases, EndpointStore endpoints, OutboxStore outbox, SchemaGate gate, OutboxMetrics metrics, IOptions<OutboxOptions> options,
    TimeProvider clock, ILogger<OutboxSender> logger) : BackgroundService
{
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan WithoutLease = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Value.Enabled)
            return;
        await gate.WaitAsync(stoppingToken);
        await Task.WhenAll(options.Value.Endpoints.Select(endpoint => SendAsync(endpoint.Key, endpoint.Value, stoppingToken)));
    }

    private async Task SendAsync(string name, EndpointOptions endpoint, CancellationToken stoppingToken)
    {
        using var sink = EventSinks.Of(name, endpoint, options.Value.Source, clock);
        await new BackgroundLoop(clock, LongestRetryDelay, Failed)
            .RunAsync(token => SendAsync(name, endpoint, sink, token), WithoutLease, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            if (isNew)
                LogInterrupted(name, PrivilegeErrors.Describe(exception));
        }
    }

    // For as long as the lease is held. It returns where another replica holds it, or took it over.
    private async Task SendAsync(string name, EndpointOptions endpoint, IEventSink sink, CancellationToken stoppingToken)
    {
        await using var lease = await HeldLease.TakeAsync(leases, clock, $"outbox:{name}", stoppingToken);
        if (lease is null)
            return;
        using var held = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lease.Lost);
        var sender = new EndpointSender(name, endpoint, sink, endpoints, new OutboxTip(outbox), metrics, clock, logger);
        try
        {
            while (true)
            {
                var pause = await sender.RunAsync(held.Token) ?? Idle;
                if (pause > TimeSpan.Zero)
                    await Task.Delay(pause, clock, held.Token);
            }
        }
        catch (OperationCanceledException) when (lease.Lost.IsCancellationRequested && !stoppingToken.IsCancellationRequested)
        {
            // Another replica goes on.
        }
    }

    [LoggerMessage(EventId = 1114, Level = LogLevel.Warning,
        Message = "The sending of events to endpoint {Endpoint} is interrupted and continues by itself: {Reason}")]
    private partial void LogInterrupted(string endpoint, string reason);
}
