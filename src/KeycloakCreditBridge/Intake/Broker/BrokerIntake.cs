using KeycloakCreditBridge.Brokers;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>
/// Takes events from the broker for as long as the process runs. Replicas compete for one queue. Without the broker everything else
/// goes on: polling and reconciliation find what it would have brought.
/// </summary>
internal sealed partial class BrokerIntake(
    IServiceProvider services, SchemaGate gate, BrokerMetrics metrics, IOptions<IntakeOptions> intake, IOptions<KeycloakOptions> keycloak,
    TimeProvider clock, ILogger<BrokerIntake> logger) : BackgroundService
{
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(5);

    private readonly BrokerOptions _options = intake.Value.Broker;
    private readonly RoutingKeys? _keys = intake.Value.Broker.IsEnabled ? new RoutingKeys(keycloak.Value.Realms) : null;
    private bool _wasAway;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_keys is not { } keys)
            return;
        if (_options.IsUnencrypted)
            LogUnencrypted(new Uri(_options.Url).Authority);
        await gate.WaitAsync(stoppingToken);
        await new BackgroundLoop(clock, LongestRetryDelay, Failed)
            .RunAsync(token => TakeAsync(keys, token), _ => Task.CompletedTask, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            // The end of a session is told already.
            if (_wasAway && (!isNew || exception is BrokerUnreachableException))
                return;
            _wasAway = true;
            LogAway(BrokerConnection.Describe(exception, _options.Account));
        }
    }

    /// <summary>One connection, from its beginning to its end. Returns when it ended after it had worked.</summary>
    private async Task<bool> TakeAsync(RoutingKeys keys, CancellationToken stoppingToken)
    {
        await using var connection = await BrokerConnection.OpenAsync(_options.Account, "events", stoppingToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: stoppingToken);
        if (_options.Declare)
            await BrokerQueues.DeclareAsync(channel, _options, keys, stoppingToken);
        await channel.BasicQosAsync(0, (ushort)_options.Prefetch, global: false, stoppingToken);
        var consumer = new BrokerConsumer(channel);
        await channel.BasicConsumeAsync(_options.Queue, autoAck: false, consumer, stoppingToken);
        metrics.IsConnected = true;
        LogConnected(_options.Queue);
        _wasAway = false;
        try
        {
            var batches = ActivatorUtilities.CreateInstance<BrokerBatches>(services, keys, channel);
            while (await consumer.Messages.WaitToReadAsync(stoppingToken))
                await batches.TakeAsync(consumer.Messages, stoppingToken);
            _wasAway = true;
            LogAway(consumer.WhyEnded);
            return true;
        }
        finally
        {
            metrics.IsConnected = false;
            await CloseAsync(connection);
        }
    }

    // What was not acknowledged is delivered again, to this replica or another one.
    private static async Task CloseAsync(IConnection connection)
    {
        using var timeout = new CancellationTokenSource(EndTimeout);
        try
        {
            await connection.CloseAsync(timeout.Token);
        }
        catch (Exception exception) when (exception is AlreadyClosedException or OperationInterruptedException
            or OperationCanceledException or IOException)
        {
            // It is closed.
        }
    }

    [LoggerMessage(
        EventId = 240,
        Level = LogLevel.Warning,
        Message = "No events come by the broker; webhooks, polls and reconciliation go on: {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(EventId = 241, Level = LogLevel.Information, Message = "Events are taken from the broker's queue {Queue}.")]
    private partial void LogConnected(string queue);

    [LoggerMessage(
        EventId = 242,
        Level = LogLevel.Warning,
        Message = "Events and the password travel to the broker at {Broker} as plain text: give an amqps address.")]
    private partial void LogUnencrypted(string broker);
}
