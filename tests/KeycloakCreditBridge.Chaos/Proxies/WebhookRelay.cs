using System.Collections.Concurrent;
using System.Net.Sockets;
using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Proxies;

/// <summary>
/// Stands between Keycloak and the replicas: deliveries go to either, and some are lost, doubled, delayed, repeated later or reordered.
/// </summary>
internal sealed class WebhookRelay : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
    private readonly ConcurrentQueue<Delivery> _held = new();
    private readonly WebApplication _app;
    private readonly IReadOnlyList<Uri> _bridges;
    private Delivery? _last;
    private int _next;

    private WebhookRelay(IReadOnlyList<Uri> bridges)
    {
        _bridges = bridges;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapPost("/{**path}", TakeAsync);
    }

    public ArmedFaults Armed { get; } = new();

    public Uri Url => new(_app.Urls.Single());

    public static async Task<WebhookRelay> StartAsync(IReadOnlyList<Uri> bridges, CancellationToken token)
    {
        var relay = new WebhookRelay(bridges);
        await relay._app.StartAsync(token);
        return relay;
    }

    /// <summary>Sends what was held back, the newest first.</summary>
    public async Task ReleaseAsync()
    {
        List<Delivery> held = [];
        while (_held.TryDequeue(out var delivery))
            held.Add(delivery);
        foreach (var delivery in Enumerable.Reverse(held))
            await SendAsync(delivery);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task<int> AnswerAsync(Delivery delivery)
    {
        var fault = Armed.Take("");
        switch (fault?.Kind)
        {
            case FaultKind.WebhookLost:
                return StatusCodes.Status200OK;
            case FaultKind.WebhookDoubled:
                return (await Task.WhenAll(SendAsync(delivery), SendAsync(delivery)))[0];
            case FaultKind.WebhookDelayed:
                _ = SendLaterAsync(delivery, fault.Length);
                return StatusCodes.Status200OK;
            case FaultKind.WebhookReplayed when Interlocked.Exchange(ref _last, delivery) is { } earlier:
                await SendAsync(earlier);
                return await SendAsync(delivery);
            case FaultKind.WebhookReordered:
                _held.Enqueue(delivery);
                return StatusCodes.Status200OK;
            default:
                Interlocked.CompareExchange(ref _last, delivery, null);
                return await SendAsync(delivery);
        }
    }

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var headers = context.Request.Headers
            .Where(header => header.Key.StartsWith("X-", StringComparison.OrdinalIgnoreCase))
            .ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.Ordinal);
        context.Response.StatusCode = await AnswerAsync(new Delivery(context.Request.Path, headers, body.ToArray()));
    }

    private async Task SendLaterAsync(Delivery delivery, TimeSpan delay)
    {
        await Task.Delay(delay);
        await SendAsync(delivery);
    }

    // What cannot be delivered is answered as a load balancer does.
    private async Task<int> SendAsync(Delivery delivery)
    {
        var bridge = _bridges[(int)((uint)Interlocked.Increment(ref _next) % _bridges.Count)];
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(bridge, delivery.Path));
            request.Content = new ByteArrayContent(delivery.Body);
            request.Content.Headers.ContentType = new("application/json");
            foreach (var (name, value) in delivery.Headers)
                request.Headers.TryAddWithoutValidation(name, value);
            using var answer = await _http.SendAsync(request);
            return (int)answer.StatusCode;
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException or SocketException)
        {
            return StatusCodes.Status502BadGateway;
        }
    }

    private sealed record Delivery(string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body);
}
