using System.Collections.Frozen;

namespace KeycloakCreditBridge.Sandbox.Proxies;

/// <summary>A proxy before a server that forwards requests, except those that its owner answers or changes.</summary>
internal sealed class HttpProxy : IAsyncDisposable
{
    private static readonly FrozenSet<string> OfOneConnection = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase, "Connection", "Host", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Date", "Server");

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private readonly WebApplication _app;
    private readonly Uri _server;

    private HttpProxy(Uri server)
    {
        _server = server;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
    }

    public Uri Url => new(_app.Urls.Single());

    /// <param name="server">The server behind it.</param>
    /// <param name="intercept">Answers a request, or has the server answer it by calling its second argument.</param>
    /// <param name="token">Cancels the start.</param>
    public static async Task<HttpProxy> StartAsync(Uri server, Func<HttpContext, RequestDelegate, Task> intercept, CancellationToken token)
    {
        var proxy = new HttpProxy(server);
        proxy._app.Run(context => proxy.AnswerAsync(context, intercept));
        await proxy._app.StartAsync(token);
        return proxy;
    }

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task AnswerAsync(HttpContext context, Func<HttpContext, RequestDelegate, Task> intercept)
    {
        try
        {
            await intercept(context, PassOnAsync);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            // Either side has left; the other one is to see that.
            context.Abort();
        }
    }

    private async Task PassOnAsync(HttpContext context)
    {
        using var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method), new Uri(_server, context.Request.Path.Value! + context.Request.QueryString));
        if (context.Request.ContentLength > 0 || context.Request.Headers.TransferEncoding.Count > 0)
            request.Content = new StreamContent(context.Request.Body);
        foreach (var (name, values) in context.Request.Headers)
        {
            if (!OfOneConnection.Contains(name) && !request.Headers.TryAddWithoutValidation(name, values.AsEnumerable()))
                request.Content?.Headers.TryAddWithoutValidation(name, values.AsEnumerable());
        }

        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
        context.Response.StatusCode = (int)answer.StatusCode;
        foreach (var (name, values) in answer.Headers.Concat(answer.Content.Headers))
        {
            if (!OfOneConnection.Contains(name))
                context.Response.Headers[name] = values.ToArray();
        }

        await answer.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }
}
