using KeycloakCreditBridge.Sandbox.Brokers;
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

    internal Task DeleteQueueAsync(string queue) => Server.DeleteQueueAsync(queue, Token);
}
