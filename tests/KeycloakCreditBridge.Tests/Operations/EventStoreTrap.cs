using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Operations;

/// <summary>Stands before a Keycloak and answers questions for stored events as one does that has two event stores and chose none.</summary>
internal sealed class EventStoreTrap(WebApplication app) : IAsyncDisposable
{
    public Uri Url => new(app.Urls.Single());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<EventStoreTrap> StartAsync(Uri keycloak)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.Run(context => AnswerAsync(context, keycloak));
        await app.StartAsync(Token);
        return new EventStoreTrap(app);
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private static async Task AnswerAsync(HttpContext context, Uri keycloak)
    {
        var path = context.Request.Path.Value!;
        if (path.EndsWith("/events", StringComparison.Ordinal) || path.EndsWith("/admin-events", StringComparison.Ordinal))
        {
            context.Response.StatusCode = (int)HttpStatusCode.InternalServerError;
            await context.Response.WriteAsync("""{"error":"unknown_error"}""", Token);
            return;
        }

        using var http = new HttpClient();
        using var body = new StreamContent(context.Request.Body);
        if (context.Request.ContentType is { } type)
            body.Headers.TryAddWithoutValidation("Content-Type", type);
        using var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method), new Uri(keycloak, path + context.Request.QueryString));
        if (context.Request.Method == "POST")
            request.Content = body;
        request.Headers.TryAddWithoutValidation("Authorization", context.Request.Headers.Authorization.ToString());
        using var answer = await http.SendAsync(request, Token);
        context.Response.StatusCode = (int)answer.StatusCode;
        await answer.Content.CopyToAsync(context.Response.Body, Token);
    }
}
