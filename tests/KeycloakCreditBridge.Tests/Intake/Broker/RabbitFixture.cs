using KeycloakCreditBridge.Sandbox.Brokers;
using KeycloakCreditBridge.Tests.Running;
using RabbitMQ.Client;

namespace KeycloakCreditBridge.Tests.Intake.Broker;

/// <summary>RabbitMQ for all tests of a class, or for one. Where it is not installed they are skipped, with a line that says so.</summary>
public sealed class RabbitFixture : IAsyncLifetime
{
    private RabbitServer? _server;

    internal string Url => Server.Url;

    // Here and not at the start: a fixture that skips fails its class.
    private RabbitServer Server
    {
        get
        {
            Assert.SkipUnless(_server is not null, "Needs RabbitMQ: install rabbitmq-server.");
            return _server!;
        }
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    internal static async Task<RabbitFixture> StartAsync()
    {
        var fixture = new RabbitFixture();
        await fixture.InitializeAsync();
        return fixture;
    }

    public async ValueTask InitializeAsync()
    {
        TestNeeds.Demand(TestNeeds.Programs);
        if (RabbitServer.IsInstalled)
            _server = await RabbitServer.StartAsync(Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
    }

    internal (string Key, string? Value)[] Settings(string queue) => Server.Settings(queue);

    internal Task StartAgainAsync() => Server.StartAgainAsync(Token);

    internal Task StopAsync() => Server.StopAsync();

    internal Task<IConnection> ConnectAsync() => Server.ConnectAsync(Token);

    internal Task PublishAsync(params IReadOnlyList<(string Key, byte[] Body)> messages) => Server.PublishAsync(messages, Token);

    internal Task<uint?> WaitingAsync(string queue) => Server.WaitingAsync(queue, Token);

    /// <summary>Makes what docs/rabbitmq.md asks of an operator where the bridge may make nothing.</summary>
    internal async Task MakeQueuesAsync(string queue)
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Token);
        var quorum = new Dictionary<string, object?> { ["x-queue-type"] = "quorum" };
        await channel.QueueDeclareAsync($"{queue}.dead", true, false, false, quorum, cancellationToken: Token);
        var arguments = new Dictionary<string, object?>(quorum)
        {
            ["x-dead-letter-exchange"] = "", ["x-dead-letter-routing-key"] = $"{queue}.dead", ["x-delivery-limit"] = 100,
        };
        await channel.QueueDeclareAsync(queue, true, false, false, arguments, cancellationToken: Token);
        await channel.QueueBindAsync(queue, "amq.topic", "KK.EVENT.*.demo.#", cancellationToken: Token);
    }

    internal Task DeleteQueueAsync(string queue) => Server.DeleteQueueAsync(queue, Token);
}
