using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Sandbox.Keycloak;

/// <summary>A proxy before a Keycloak that forwards requests, except those that a test answers or changes.</summary>
internal sealed class KeycloakProxy(WebApplication app) : IAsyncDisposable
{
    public Uri Url => new(app.Urls.Single());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="keycloak">The server behind it.</param>
    /// <param name="intercept">May change the request's query, and returns whether it has answered already.</param>
    public static async Task<KeycloakProxy> StartAsync(Uri keycloak, Func<HttpContext, Task<bool>> intercept)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.Run(async context =>
        {
            if (!await intercept(context))
                await PassOnAsync(context, keycloak);
        });
        await app.StartAsync(Token);
        return new KeycloakProxy(app);
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private static async Task PassOnAsync(HttpContext context, Uri keycloak)
    {
        using var http = new HttpClient();
        using var body = new StreamContent(context.Request.Body);
        if (context.Request.ContentType is { } type)
            body.Headers.TryAddWithoutValidation("Content-Type", type);
        using var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method), new Uri(keycloak, context.Request.Path.Value! + context.Request.QueryString));
        if (context.Request.Method == "POST")
            request.Content = body;
        request.Headers.TryAddWithoutValidation("Authorization", context.Request.Headers.Authorization.ToString());
        using var answer = await http.SendAsync(request, Token);
        context.Response.StatusCode = (int)answer.StatusCode;
        await answer.Content.CopyToAsync(context.Response.Body, Token);
    }
}
