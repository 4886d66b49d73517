using KeycloakCreditBridge.Brokers;
using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>Asks the broker now and then how its queues stand.</summary>
internal sealed class BrokerGauge(BrokerMetrics metrics, IOptions<IntakeOptions> intake, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    private readonly BrokerOptions _options = intake.Value.Broker;

    // That the broker is away is told by the taking of events.
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _options.IsEnabled
        ? BackgroundLoop.ShowAsync(clock, Every, ReadAsync, queues => metrics.Queues = queues, _ => { }, stoppingToken)
        : Task.CompletedTask;

    private async Task<QueueStates> ReadAsync(CancellationToken cancellationToken)
    {
        await using var connection = await BrokerConnection.OpenAsync(_options.Account, "metrics", cancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        return new QueueStates(
            await BrokerQueues.ReadAsync(channel, _options.Queue, cancellationToken),
            await BrokerQueues.ReadAsync(channel, _options.DeadName, cancellationToken));
    }
}
