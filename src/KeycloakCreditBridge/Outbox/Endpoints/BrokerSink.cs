using KeycloakCreditBridge.Brokers;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace KeycloakCreditBridge.Outbox.Endpoints;

/// <summary>
/// Publishes events to an exchange of RabbitMQ, each as one persistent message whose id is that of the event and whose routing key is its
/// type. Taken is what the broker confirmed; what no queue is bound for comes back and was not taken. Many events wait for their
/// confirmations at a time, of each account one.
/// </summary>
internal sealed class BrokerSink(EndpointOptions options, BrokerAccount account, string source) : IEventSink
{
    private const int MostUnconfirmed = 256;

    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(2);

    private readonly ThrottlingRateLimiter _unconfirmed = new(MostUnconfirmed);
    private IConnection? _connection;
    private IChannel? _channel;
    private int _isBroken;

    /// <inheritdoc/>
    public async Task<Round> RoundAsync(IReadOnlyList<OutboxEvent> events, CancellationToken cancellationToken)
    {
        var round = new Round();
        if (events.Count == 0)
            return round;
        var isComplete = false;
        try
        {
            var channel = await OpenAsync(cancellationToken);
            await Task.WhenAll(events
                .GroupBy(told => told.AccountId, StringComparer.Ordinal)
                .Select(own => SendAsync(channel, own, round, cancellationToken)));
            isComplete = _isBroken == 0;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested && IsOfBroker(exception))
        {
            round.Add([events[0]], new SendResult(BrokerConnection.Describe(exception, account)));
        }
        finally
        {
            // What has no confirmation is published again, and never on the channel that still waits for it.
            if (!isComplete)
                await CloseAsync();
        }

        return round;
    }

    public void Dispose()
    {
        _channel?.Dispose();
        _connection?.Dispose();
        _unconfirmed.Dispose();
    }

    private static bool IsOfBroker(Exception exception) =>
        exception is RabbitMQClientException or IOException or OperationCanceledException or ObjectDisposedException;

    private async Task<IChannel> OpenAsync(CancellationToken cancellationToken)
    {
        if (_channel is { IsOpen: true } open)
            return open;
        await CloseAsync();
        _connection = await BrokerConnection.OpenAsync(account, "events about credits", cancellationToken);
        return _channel = await _connection.CreateChannelAsync(
            new CreateChannelOptions(
                publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true,
                outstandingPublisherConfirmationsRateLimiter: _unconfirmed),
            cancellationToken);
    }

    private async Task SendAsync(IChannel channel, IEnumerable<OutboxEvent> events, Round round, CancellationToken cancellationToken)
    {
        foreach (var told in events)
        {
            if (_isBroken != 0)
                return;
            var (error, breaks) = await PublishAsync(channel, told, cancellationToken);
            // One failure stands for all that the end of the channel left without a confirmation.
            if (!breaks || Interlocked.Exchange(ref _isBroken, 1) == 0)
                round.Add([told], error is null ? SendResult.Sent : new SendResult(error));
            if (error is not null)
                return;
        }
    }

    private async Task<(string? Error, bool Breaks)> PublishAsync(IChannel channel, OutboxEvent told, CancellationToken cancellationToken)
    {
        var body = EventBody.Of([told], isBatch: false, source);
        var properties = new BasicProperties
        {
            MessageId = body.Id,
            Type = told.Type,
            Timestamp = new AmqpTimestamp(told.At.ToUnixTimeSeconds()),
            ContentType = body.MediaType,
            ContentEncoding = "UTF-8",
            AppId = "credit-bridge",
            Persistent = true,
        };
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(options.Timeout);
        try
        {
            await channel.BasicPublishAsync(options.Exchange, told.Type, mandatory: true, properties, body.Bytes, timeout.Token);
            return (null, false);
        }
        catch (PublishException exception)
        {
            return (exception.IsReturn
                ? $"the exchange '{options.Exchange}' has no queue for the routing key {told.Type}: bind one, or name other types"
                : "the broker did not keep the event: see its log, and the limits of the queues that are bound", false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ($"no confirmation within {options.Timeout.TotalSeconds:0} s", true);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested && IsOfBroker(exception))
        {
            return (BrokerConnection.Describe(exception, account), true);
        }
    }

    private async Task CloseAsync()
    {
        _isBroken = 0;
        var (connection, channel) = (_connection, _channel);
        (_connection, _channel) = (null, null);
        if (connection is null)
            return;
        await connection.AbortAsync(EndTimeout);
        if (channel is not null)
            await channel.DisposeAsync();
        await connection.DisposeAsync();
    }
}
