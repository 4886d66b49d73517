using System.Threading.Channels;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>Puts what is delivered in a row, which ends when the broker delivers no more. The channel's prefetch bounds the row.</summary>
internal sealed class BrokerConsumer(IChannel channel) : AsyncDefaultBasicConsumer(channel)
{
    private readonly Channel<BrokerMessage> _messages = System.Threading.Channels.Channel.CreateUnbounded<BrokerMessage>(
        new UnboundedChannelOptions { SingleReader = true });

    public ChannelReader<BrokerMessage> Messages => _messages.Reader;

    /// <summary>Why no more is delivered.</summary>
    public string WhyEnded { get; private set; } = "the broker delivers no more";

    public override Task HandleBasicDeliverAsync(
        string consumerTag, ulong deliveryTag, bool redelivered, string exchange, string routingKey, IReadOnlyBasicProperties properties,
        ReadOnlyMemory<byte> body, CancellationToken cancellationToken = default)
    {
        // The library takes the memory of the body back.
        _messages.Writer.TryWrite(new BrokerMessage(deliveryTag, routingKey, body.ToArray()));
        return Task.CompletedTask;
    }

    public override Task HandleBasicCancelAsync(string consumerTag, CancellationToken cancellationToken = default)
    {
        End("the queue was deleted, or the broker's node that held it stopped");
        return base.HandleBasicCancelAsync(consumerTag, cancellationToken);
    }

    public override Task HandleChannelShutdownAsync(object channel, ShutdownEventArgs reason)
    {
        End(reason.ReplyText);
        return base.HandleChannelShutdownAsync(channel, reason);
    }

    private void End(string why)
    {
        WhyEnded = why;
        _messages.Writer.TryComplete();
    }
}
