using System.Net;
using System.Net.Sockets;
using System.Text;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Endpoints;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Tests.Outbox.Endpoints;

/// <summary>What is sent, what counts as taken, and where nothing is sent to.</summary>
public sealed class EndpointClientTests
{
    private static readonly OutboxEvent Told = new(
        7, Guid.Parse("5d0c6f0a-21a4-4d4f-8a0e-6a2f5c0c9d11"), "user-1", "credits.low", """{"balance": "1.5"}""", DateTimeOffset.UnixEpoch);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_is_a_signed_CloudEvent_under_its_own_id()
    {
        await using var sink = await SinkFixture.StartAsync();
        Assert.Null((await SendAsync(sink.Options())).Error);
        Assert.Equal(
            new TakenEvent($"{Told.Id}", "credits.low", "user-1", Told.Data, $"{Told.Id}")
            {
                Status = 204, MediaType = "application/cloudevents+json; charset=utf-8",
            },
            Assert.Single(sink.Asked));
        Assert.Equal(
            """{"specversion":"1.0","id":"5d0c6f0a-21a4-4d4f-8a0e-6a2f5c0c9d11","source":"/credit-bridge","type":"credits.low","subj"""
                + """ect":"user-1","time":"1970-01-01T00:00:00Z","datacontenttype":"application/json","data":{"balance": "1.5"}}""",
            Encoding.UTF8.GetString(EventBody.Of([Told], isBatch: false, "/credit-bridge").Bytes.Span));
    }

    [Fact]
    public async Task A_batch_keeps_its_id_while_it_holds_the_same_events()
    {
        await using var sink = await SinkFixture.StartAsync();
        var other = Told with { Id = Guid.NewGuid() };
        foreach (var batch in (OutboxEvent[][])[[Told, other], [Told, other], [Told]])
            Assert.Null((await SendAsync(sink.Options(batch: 10), batch)).Error);
        Assert.Equal(
            [0, 0, 0, 0, 1],
            sink.Asked.Select(one => sink.Asked.Select(all => all.WebhookId).Distinct().ToList().IndexOf(one.WebhookId)));
        Assert.All(sink.Asked, one => Assert.Equal("application/cloudevents-batch+json; charset=utf-8", one.MediaType));
    }

    [Theory]
    [InlineData(200, null, false)]
    [InlineData(202, null, false)]
    [InlineData(302, "answered 302", false)]
    [InlineData(400, "answered 400", false)]
    [InlineData(410, "answered 410, which asks for no more events", true)]
    [InlineData(500, "answered 500", false)]
    public async Task Only_a_2xx_is_taken(int status, string? error, bool isEnd)
    {
        await using var sink = await SinkFixture.StartAsync();
        sink.Answer = (_, context) =>
        {
            context.Response.Headers.Location = "/elsewhere";
            return Task.FromResult(status);
        };
        var result = await SendAsync(sink.Options());
        Assert.Equal((error, isEnd), (result.Error, result.IsEnd));
        Assert.Single(sink.Asked);
    }

    [Theory]
    [InlineData("120", 120)]
    [InlineData("864000", 3600)]
    [InlineData("-1", null)]
    [InlineData("soon", null)]
    public async Task A_sink_says_how_long_to_leave_it_alone_an_hour_at_most(string header, int? seconds)
    {
        await using var sink = await SinkFixture.StartAsync();
        sink.Answer = (_, context) =>
        {
            context.Response.Headers.RetryAfter = header;
            return Task.FromResult(StatusCodes.Status429TooManyRequests);
        };
        Assert.Equal(seconds, (int?)(await SendAsync(sink.Options())).RetryAfter?.TotalSeconds);
    }

    [Fact]
    public async Task A_sink_that_hangs_is_left_after_the_timeout()
    {
        await using var sink = await SinkFixture.StartAsync();
        sink.Answer = async (_, context) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return 204;
        };
        var options = sink.Options();
        options.Timeout = TimeSpan.FromSeconds(1);
        Assert.Equal("no answer within 1 s", (await SendAsync(options)).Error);
    }

    [Fact]
    public async Task A_sink_that_says_200_and_closes_has_taken_the_event()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var sending = SendAsync(Options(((IPEndPoint)listener.LocalEndpoint).Port));
        using var connection = await listener.AcceptTcpClientAsync(Token);
        var stream = connection.GetStream();
        var request = new StringBuilder();
        var buffer = new byte[4096];
        // Its end is that of the CloudEvent.
        while (!request.ToString().EndsWith("}}", StringComparison.Ordinal))
            request.Append(Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer, Token)));
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nless"u8.ToArray(), Token);
        connection.Client.Shutdown(SocketShutdown.Send);
        Assert.Null((await sending).Error);
    }

    [Fact]
    public async Task Nothing_is_sent_to_a_name_that_stands_for_a_private_address()
    {
        await using var sink = await SinkFixture.StartAsync();
        var options = sink.Options();
        options.Url = $"http://crm.example.com:{sink.Url.Port}/";
        var asked = 0;
        var connection = new EndpointConnection(allowPrivate: false, (_, _) =>
        {
            asked++;
            return Task.FromResult<IPAddress[]>([IPAddress.Loopback, IPAddress.Parse("10.0.0.1")]);
        });
        using var client = new EndpointClient(options, connection, "/credit-bridge", TimeProvider.System);
        Assert.StartsWith(
            "crm.example.com is 127.0.0.1, 10.0.0.1, which is no public address: set AllowPrivate",
            (await client.SendAsync([Told], Token)).Error, StringComparison.Ordinal);
        // The name is resolved once: the connection is made to what was checked.
        Assert.Equal(1, asked);
        Assert.Empty(sink.Asked);

        var allowed = new EndpointConnection(allowPrivate: true, (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]));
        using var trusting = new EndpointClient(options, allowed, "/credit-bridge", TimeProvider.System);
        Assert.Null((await trusting.SendAsync([Told], Token)).Error);
        Assert.Single(sink.Asked);
    }

    [Fact]
    public async Task A_sink_that_is_away_is_a_failure_that_says_why()
    {
        using var free = new Socket(SocketType.Stream, ProtocolType.Tcp);
        free.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var options = Options(((IPEndPoint)free.LocalEndPoint!).Port);
        Assert.Contains("refused", (await SendAsync(options)).Error, StringComparison.OrdinalIgnoreCase);
    }

    private static EndpointOptions Options(int port) =>
        new() { Url = $"http://127.0.0.1:{port}/", Secret = SinkFixture.Secret, AllowHttp = true, AllowPrivate = true };

    private static async Task<SendResult> SendAsync(EndpointOptions options, params OutboxEvent[] events)
    {
        using var client = new EndpointClient(options, EndpointConnection.Of(options), "/credit-bridge", TimeProvider.System);
        return await client.SendAsync(events.Length == 0 ? [Told] : events, Token);
    }
}
