using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace KeycloakCreditBridge.Outbox.Endpoints;

/// <summary>
/// Sends events to one endpoint. It follows no redirect and no proxy, keeps no cookie, and reads nothing of an answer's body.
/// </summary>
internal sealed class EndpointClient : IEventSink
{
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromHours(1);

    // A new connection resolves the name again.
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);

    private readonly EndpointOptions _options;
    private readonly string _source;
    private readonly TimeProvider _clock;
    private readonly HttpClient _http;

    public EndpointClient(EndpointOptions options, EndpointConnection connection, string source, TimeProvider clock)
    {
        (_options, _source, _clock) = (options, source, clock);
#pragma warning disable CA2000 // The client disposes of it.
        _http = new HttpClient(NewHandler(options, connection)) { Timeout = options.Timeout };
#pragma warning restore CA2000
    }

    /// <inheritdoc/>
    public Task<Round> RoundAsync(IReadOnlyList<OutboxEvent> events, CancellationToken cancellationToken) =>
        new Lanes(this, _options.Concurrency, _options.Batch).SendAsync(events, cancellationToken);

    /// <summary>Sends events in one request. An answer decides; what follows its head does not.</summary>
    public async Task<SendResult> SendAsync(IReadOnlyList<OutboxEvent> events, CancellationToken cancellationToken)
    {
        var body = EventBody.Of(events, _options.Batch > 1, _source);
        var seconds = _clock.GetUtcNow().ToUnixTimeSeconds();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_options.Url));
        request.Content = new ReadOnlyMemoryContent(body.Bytes);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(body.MediaType, "utf-8");
        request.Headers.Add("webhook-id", body.Id);
        request.Headers.Add("webhook-timestamp", seconds.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("webhook-signature", SigningKey.Sign(Secrets(), body.Id, seconds, body.Bytes.Span));
        try
        {
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return Result(answer);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new SendResult($"no answer within {_options.Timeout.TotalSeconds:0} s");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or SocketException)
        {
            return new SendResult(exception.GetBaseException().Message.ReplaceLineEndings(" "));
        }
    }

    public void Dispose() => _http.Dispose();

    private static SocketsHttpHandler NewHandler(EndpointOptions options, EndpointConnection connection) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        ConnectCallback = connection.ConnectAsync,
        ConnectTimeout = options.Timeout,
        PooledConnectionLifetime = ConnectionLifetime,
        MaxConnectionsPerServer = options.Concurrency,
        MaxResponseDrainSize = 64 * 1024,
        ActivityHeadersPropagator = null,
    };

    private string[] Secrets() => _options.PreviousSecret.Length > 0 ? [_options.Secret, _options.PreviousSecret] : [_options.Secret];

    private SendResult Result(HttpResponseMessage answer)
    {
        if (answer.IsSuccessStatusCode)
            return SendResult.Sent;
        if (answer.StatusCode == HttpStatusCode.Gone)
            return new SendResult("answered 410, which asks for no more events") { IsEnd = true };
        var asked = answer.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - _clock.GetUtcNow() : null;
        return new SendResult($"answered {(int)answer.StatusCode}")
        {
            RetryAfter = asked > LongestRetryAfter ? LongestRetryAfter : asked > TimeSpan.Zero ? asked : null,
        };
    }
}
