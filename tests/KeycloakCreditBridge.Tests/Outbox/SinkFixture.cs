using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Endpoints;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Outbox;

/// <summary>A program that takes events. It checks each signature, and answers as the test says.</summary>
internal sealed class SinkFixture : IAsyncDisposable
{
    public const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<TakenEvent> _asked = [];

    private SinkFixture(WebApplication app) => _app = app;

    public Uri Url => new(_app.Urls.Single());

    /// <summary>The status of each answer; 204 by default.</summary>
    public Func<TakenEvent, HttpContext, Task<int>> Answer { get; set; } = (_, _) => Task.FromResult(StatusCodes.Status204NoContent);

    /// <summary>All events that came, taken or not, in their order.</summary>
    public IReadOnlyList<TakenEvent> Asked => [.. _asked];

    /// <summary>Each event that was taken as `account type`.</summary>
    public IEnumerable<string> Taken => _asked.Where(one => one.Status < 300).Select(one => $"{one.Account} {one.Type}");

    public static async Task<SinkFixture> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var sink = new SinkFixture(app);
        app.Run(sink.TakeAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return sink;
    }

    /// <summary>The endpoint of this sink.</summary>
    public EndpointOptions Options(int batch = 1) =>
        new() { Url = Url.ToString(), Secret = Secret, AllowHttp = true, AllowPrivate = true, Batch = batch };

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var headers = context.Request.Headers;
        var id = headers["webhook-id"].ToString();
        var seconds = long.Parse(headers["webhook-timestamp"].ToString(), CultureInfo.InvariantCulture);
        Assert.Equal(SigningKey.Sign([Secret], id, seconds, body.ToArray()), headers["webhook-signature"].ToString());
        using var json = JsonDocument.Parse(body.ToArray());
        var events = json.RootElement.ValueKind == JsonValueKind.Array
            ? json.RootElement.EnumerateArray().Select(one => TakenEvent.Of(one, id)).ToList()
            : [TakenEvent.Of(json.RootElement, id)];
        foreach (var one in events)
        {
            one.MediaType = context.Request.ContentType!;
            one.Status = await Answer(one, context);
            _asked.Enqueue(one);
            context.Response.StatusCode = one.Status;
        }
    }
}

/// <summary>An event as a sink gets it.</summary>
internal sealed record TakenEvent(string Id, string Type, string Account, string Data, string WebhookId)
{
    public int Status { get; set; }

    public string MediaType { get; set; } = "";

    public static TakenEvent Of(JsonElement json, string webhookId) => new(
        json.GetProperty("id").GetString()!, json.GetProperty("type").GetString()!, json.GetProperty("subject").GetString()!,
        json.GetProperty("data").GetRawText(), webhookId);
}
