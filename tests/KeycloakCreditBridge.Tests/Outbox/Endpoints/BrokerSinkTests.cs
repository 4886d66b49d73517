using System.Text;
using System.Text.Json;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Sending;
using KeycloakCreditBridge.Sandbox.Brokers;
using KeycloakCreditBridge.Tests.Intake.Broker;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using RabbitMQ.Client;

namespace KeycloakCreditBridge.Tests.Outbox.Endpoints;

/// <summary>Events by RabbitMQ: what the broker confirmed is sent, and nothing else is.</summary>
[StartsPrograms]
public sealed class BrokerSinkTests(PostgresFixture postgres, RabbitFixture rabbit) : IClassFixture<RabbitFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_is_a_persistent_message_with_its_id_and_those_of_an_account_come_in_order()
    {
        await using var fixture = await StartAsync();
        var exchange = await MakeAsync("#");
        await fixture.OpenAsync(count: 300);
        await fixture.TakeAsync(4m);
        await fixture.TakeAsync(1m);
        await fixture.SendAsync(fixture.Sender(Options(exchange)));

        var messages = await TakeAllAsync(exchange);
        Assert.Equal(302, messages.Count);
        Assert.Equal(
            ["credits.account.opened", "credits.low", "credits.exhausted"],
            messages.Where(one => one.Account == "user-1").Select(one => one.RoutingKey));
        Assert.Equal(
            await fixture.Database.QueryAsync<string>("select id::text from outbox order by 1"),
            messages.Select(one => one.Properties.MessageId).Order(StringComparer.Ordinal));
        var low = messages.Single(one => one.RoutingKey == "credits.low");
        Assert.True(low.Properties.Persistent);
        Assert.Equal(("credits.low", "application/cloudevents+json"), (low.Properties.Type, low.Properties.ContentType));
        Assert.Equal(low.Properties.MessageId, low.Body.GetProperty("id").GetString());
        Assert.Equal("1.000000", low.Body.GetProperty("data").GetProperty("balance").GetString());
    }

    [Fact]
    public async Task What_no_queue_is_bound_for_is_not_taken_and_holds_back_its_account_alone()
    {
        await using var fixture = await StartAsync();
        var exchange = await MakeAsync("credits.account.*");
        await fixture.OpenAsync(count: 2);
        await fixture.TakeAsync(4m);
        foreach (var user in (string[])["user-1", "user-2"])
            await fixture.Database.ExecuteAsync("update user_credits set status = 'held' where user_id = @user", new { user });
        var sender = fixture.Sender(Options(exchange));
        await fixture.SendAsync(sender);
        Assert.Equal(
            ["user-1 credits.account.opened", "user-2 credits.account.held", "user-2 credits.account.opened"], await TakenAsync(exchange));
        Assert.Contains("no queue for the routing key credits.low", (await fixture.StateAsync()).Error, StringComparison.Ordinal);

        await BindAsync(exchange, "#");
        fixture.Clock.Advance(TimeSpan.FromHours(1));
        await fixture.SendAsync(sender);
        Assert.Equal(
            ["credits.low", "credits.account.held"], (await TakeAllAsync(exchange)).Select(one => one.RoutingKey));
    }

    [Fact]
    public async Task What_the_broker_refuses_is_named_with_its_cure_and_sent_once_it_is_repaired()
    {
        await using var fixture = await StartAsync();
        var exchange = $"credit-bridge.{Guid.NewGuid():n}";
        await fixture.OpenAsync(count: 3);
        await FailsAsync(Options("amq.topic"), "grant the user 'credit-bridge' what docs/events.md lists under permissions");
        var wrong = Options(exchange);
        wrong.Password = "wrong";
        await FailsAsync(wrong, "check Outbox:Endpoints:crm:UserName and Password");
        var sender = await FailsAsync(Options(exchange), "give an exchange that is there as Outbox:Endpoints:crm:Exchange");
        Assert.Equal(0, (await fixture.StateAsync()).Position);

        await MakeAsync("#", exchange);
        await fixture.SendAsync(sender);
        Assert.Equal(3, (await TakeAllAsync(exchange)).Count);
        Assert.Null((await fixture.StateAsync()).FailingSince);

        async Task<EndpointSender> FailsAsync(EndpointOptions options, string cure)
        {
            var failing = fixture.Sender(options);
            await fixture.SendAsync(failing);
            var state = await fixture.StateAsync();
            Assert.Contains(cure, state.Error, StringComparison.Ordinal);
            Assert.NotNull(state.FailingSince);
            return failing;
        }
    }

    [Fact]
    public async Task A_broker_that_goes_and_comes_back_gets_what_it_missed_in_order()
    {
        await using var own = await RabbitFixture.StartAsync();
        await using var fixture = await StartAsync();
        var exchange = await MakeAsync("#", server: own);
        var sender = fixture.Sender(Options(exchange, own));
        await fixture.OpenAsync();
        await fixture.SendAsync(sender);
        await own.StopAsync();
        await fixture.TakeAsync(4m);
        await SendsUntilAsync(
            state => state.Error?.Contains("check Outbox:Endpoints:crm:Url and the network", StringComparison.Ordinal) == true);
        await fixture.TakeAsync(1m);
        await own.StartAgainAsync();
        await SendsUntilAsync(state => state.FailingSince is null);
        Assert.Equal(
            ["credits.account.opened", "credits.low", "credits.exhausted"],
            (await TakeAllAsync(exchange, own)).Select(one => one.RoutingKey));

        Task SendsUntilAsync(Func<EndpointState, bool> isSo) => Eventually.TrueAsync(
            async () =>
            {
                await fixture.SendAsync(sender);
                return isSo(await fixture.StateAsync());
            },
            "the endpoint stands as it should");
    }

    private async Task<OutboxFixture> StartAsync()
    {
        // The class is skipped here where no broker is installed.
        _ = rabbit.Url;
        var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.KnowAsync();
        return fixture;
    }

    private EndpointOptions Options(string exchange, RabbitFixture? server = null) => new()
    {
        Url = (server ?? rabbit).Url, UserName = RabbitServer.User, Password = RabbitServer.Password, Exchange = exchange,
        Timeout = TimeSpan.FromMinutes(1),
    };

    // A topic exchange, and a queue of the same name.
    private async Task<string> MakeAsync(string key, string? name = null, RabbitFixture? server = null)
    {
        var exchange = name ?? $"credit-bridge.{Guid.NewGuid():n}";
        await using var connection = await (server ?? rabbit).ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Token);
        await channel.ExchangeDeclareAsync(exchange, ExchangeType.Topic, durable: true, cancellationToken: Token);
        await channel.QueueDeclareAsync(
            exchange, true, false, false, new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }, cancellationToken: Token);
        await channel.QueueBindAsync(exchange, exchange, key, cancellationToken: Token);
        return exchange;
    }

    private async Task BindAsync(string exchange, string key)
    {
        await using var connection = await rabbit.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Token);
        await channel.QueueBindAsync(exchange, exchange, key, cancellationToken: Token);
    }

    private async Task<List<TakenMessage>> TakeAllAsync(string queue, RabbitFixture? server = null)
    {
        await using var connection = await (server ?? rabbit).ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Token);
        List<TakenMessage> messages = [];
        while (await channel.BasicGetAsync(queue, autoAck: true, Token) is { } got)
        {
            using var body = JsonDocument.Parse(Encoding.UTF8.GetString(got.Body.Span));
            messages.Add(new TakenMessage(got.RoutingKey, got.BasicProperties, body.RootElement.Clone()));
        }

        return messages;
    }

    private async Task<IEnumerable<string>> TakenAsync(string queue) =>
        (await TakeAllAsync(queue)).Select(one => $"{one.Account} {one.RoutingKey}").Order(StringComparer.Ordinal);

    private sealed record TakenMessage(string RoutingKey, IReadOnlyBasicProperties Properties, JsonElement Body)
    {
        public string Account => Body.GetProperty("subject").GetString()!;
    }
}
