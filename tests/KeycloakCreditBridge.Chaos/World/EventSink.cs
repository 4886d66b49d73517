using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using KeycloakCreditBridge.Chaos.Plans;
using KeycloakCreditBridge.Chaos.Proxies;
using KeycloakCreditBridge.Outbox.Endpoints;

namespace KeycloakCreditBridge.Chaos.World;

/// <summary>A program that takes events about credits, and remembers the order in which they came first.</summary>
internal sealed class EventSink : IAsyncDisposable
{
    public const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private readonly ConcurrentQueue<string> _taken = new();
    private readonly WebApplication _app;

    private EventSink()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapPost("/", TakeAsync);
    }

    public ArmedFaults Armed { get; } = new();

    public Uri Url => new(_app.Urls.Single());

    /// <summary>The ids of all events that were taken, in the order in which they were; some more than once.</summary>
    public IReadOnlyList<string> Taken => [.. _taken];

    public static async Task<EventSink> StartAsync(CancellationToken token)
    {
        var sink = new EventSink();
        await sink._app.StartAsync(token);
        return sink;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var fault = Armed.Take("");
        context.Response.StatusCode = fault?.Kind == FaultKind.SinkRefused ? StatusCodes.Status503ServiceUnavailable
            : !IsSigned(context.Request.Headers, body.ToArray()) ? StatusCodes.Status401Unauthorized
            : StatusCodes.Status204NoContent;
        if (context.Response.StatusCode != StatusCodes.Status204NoContent)
            return;
        using var json = JsonDocument.Parse(body.ToArray());
        foreach (var one in json.RootElement.ValueKind == JsonValueKind.Array ? [.. json.RootElement.EnumerateArray()] : Only(json))
            _taken.Enqueue(one.GetProperty("id").GetString()!);
        // It has taken them, and its sender cannot know.
        if (fault?.Kind == FaultKind.SinkAnswerLost)
            context.Abort();
    }

    private static JsonElement[] Only(JsonDocument json) => [json.RootElement];

    private static bool IsSigned(IHeaderDictionary headers, byte[] body) =>
        long.TryParse(headers["webhook-timestamp"], CultureInfo.InvariantCulture, out var seconds)
        && SigningKey.Sign([Secret], headers["webhook-id"].ToString(), seconds, body) == headers["webhook-signature"].ToString();
}
