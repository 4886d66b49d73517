using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>What a queue holds.</summary>
/// <param name="Waiting">Messages that no consumer has.</param>
/// <param name="Consumers">Replicas that take them.</param>
internal sealed record QueueState(uint Waiting, uint Consumers);

/// <param name="Events">The queue of events.</param>
/// <param name="Dead">The queue of what can never be read.</param>
internal sealed record QueueStates(QueueState Events, QueueState Dead);

/// <summary>The queue of events, and that of what can never be read.</summary>
internal static class BrokerQueues
{
    // Kills and restarts of the bridge deliver again too: the bound ends a message that ends each process that reads it, and nothing else.
    private const int MostDeliveries = 100;

    /// <summary>Makes queues and bindings that are missing. Repeating it changes nothing.</summary>
    /// <exception cref="OperationInterruptedException">A permission, the exchange or a setting is wrong.</exception>
    public static async Task DeclareAsync(IChannel channel, BrokerOptions options, RoutingKeys keys, CancellationToken cancellationToken)
    {
        var dead = options.DeadName;
        await channel.ExchangeDeclareAsync(dead, ExchangeType.Fanout, durable: true, cancellationToken: cancellationToken);
        await channel.QueueDeclareAsync(
            dead, durable: true, exclusive: false, autoDelete: false, Quorum(), cancellationToken: cancellationToken);
        await channel.QueueBindAsync(dead, dead, "", cancellationToken: cancellationToken);
        // On disk at a majority of the broker's nodes, even though the plugins do not ask for it.
        await channel.QueueDeclareAsync(
            options.Queue, durable: true, exclusive: false, autoDelete: false,
            Quorum(("x-dead-letter-exchange", dead), ("x-delivery-limit", MostDeliveries)), cancellationToken: cancellationToken);
        foreach (var pattern in keys.Patterns)
            await channel.QueueBindAsync(options.Queue, options.Exchange, pattern, cancellationToken: cancellationToken);
    }

    /// <summary>Reads what the queue holds, without changing anything.</summary>
    /// <exception cref="OperationInterruptedException">It is missing, or may not be read.</exception>
    public static async Task<QueueState> ReadAsync(IChannel channel, string queue, CancellationToken cancellationToken)
    {
        var found = await channel.QueueDeclarePassiveAsync(queue, cancellationToken);
        return new QueueState(found.MessageCount, found.ConsumerCount);
    }

    private static Dictionary<string, object?> Quorum(params (string Key, object Value)[] more) =>
        more.Append(("x-queue-type", "quorum")).ToDictionary(pair => pair.Item1, pair => (object?)pair.Item2, StringComparer.Ordinal);
}
