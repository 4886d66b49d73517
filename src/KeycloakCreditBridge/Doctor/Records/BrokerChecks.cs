using System.Globalization;
using KeycloakCreditBridge.Brokers;
using KeycloakCreditBridge.Configuration.Shell;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Broker;
using Microsoft.Extensions.Options;
using RabbitMQ.Client.Exceptions;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether events come by the broker, and whether some of them could not be read.</summary>
internal sealed class BrokerChecks(IOptions<IntakeOptions> intake)
{
    private readonly BrokerOptions _options = intake.Value.Broker;

    public IEnumerable<DoctorCheck> All() => _options.IsEnabled
        ? [new("broker", null, EventsAsync, IsGate: true), new("dead letters", null, DeadAsync)]
        : [];

    private Task<Finding> EventsAsync(CancellationToken cancellationToken) => ReadAsync(
        _options.Queue,
        state =>
        {
            var message = string.Create(
                CultureInfo.InvariantCulture, $"{state.Waiting} events wait in '{_options.Queue}', which {state.Consumers} replicas take");
            if (state.Consumers == 0)
                return Finding.Warn(message, "start the service, or look for event 240 in its log");
            return _options.IsUnencrypted
                ? Finding.Warn($"{message}; events and password are sent as plain text", "give an amqps address as Intake:Broker:Url")
                : Finding.Ok(message);
        },
        cancellationToken);

    private Task<Finding> DeadAsync(CancellationToken cancellationToken) => ReadAsync(
        _options.DeadName,
        state => state.Waiting == 0
            ? Finding.Ok("no event of the broker was unreadable")
            : Finding.Warn(
                string.Create(CultureInfo.InvariantCulture, $"{state.Waiting} events of the broker could never be read"),
                $"event 245 in the log says why; empty it by `rabbitmqctl purge_queue {ShellWord.Of(_options.DeadName)}`"),
        cancellationToken);

    private async Task<Finding> ReadAsync(string queue, Func<QueueState, Finding> finding, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await BrokerConnection.OpenAsync(_options.Account, "doctor", cancellationToken);
            await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
            return finding(await BrokerQueues.ReadAsync(channel, queue, cancellationToken));
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == 404 && _options.Declare)
        {
            return Finding.Warn($"the queue '{queue}' is not there", "start the service, which makes it, or look for event 240 in its log");
        }
        catch (Exception exception) when (exception is BrokerUnreachableException or OperationInterruptedException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return Finding.Fail(BrokerConnection.Describe(exception, _options.Account));
        }
    }
}
