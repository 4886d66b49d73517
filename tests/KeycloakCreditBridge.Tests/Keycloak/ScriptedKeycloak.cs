using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Keycloak;

/// <summary>A server that answers as a test scripts it, also as a real Keycloak answers only in trouble.</summary>
internal sealed class ScriptedKeycloak : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Script> _scripts = new(StringComparer.Ordinal);
    private readonly WebApplication _app;
    private int _tokens;

    private ScriptedKeycloak(WebApplication app) => _app = app;

    /// <summary>Requests as they stood on the wire, in the order of their arrival.</summary>
    public ConcurrentQueue<Received> Requests { get; } = new();

    public int TokenLifetime { get; set; } = 300;

    public string Url => _app.Urls.Single();

    public int TokenRequests => Requests.Count(request => request.Method == "POST");

    public IEnumerable<string> Targets => Requests.Where(request => request.Method == "GET").Select(request => request.Target);

    public static async Task<ScriptedKeycloak> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = new ScriptedKeycloak(builder.Build());
        server.On("/protocol/openid-connect/token", server.IssueTokenAsync);
        server._app.Run(server.AnswerAsync);
        await server._app.StartAsync();
        return server;
    }

    /// <summary>Answers requests whose target holds the fragment, one after the other; the last answer is for all that follow.</summary>
    public void On(string fragment, params RequestDelegate[] answers) => _scripts[fragment] = new Script(answers);

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    public static RequestDelegate Says(int status, string body, string type = "application/json", string? retryAfter = null) => context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        if (retryAfter is not null)
            context.Response.Headers.RetryAfter = retryAfter;
        return context.Response.WriteAsync(body, context.RequestAborted);
    };

    /// <summary>Never answers.</summary>
    public static Task Hangs(HttpContext context) => Task.Delay(Timeout.Infinite, context.RequestAborted);

    /// <summary>Announces more than it sends and cuts the connection.</summary>
    public static async Task Breaks(HttpContext context)
    {
        context.Response.ContentLength = 1000;
        await context.Response.WriteAsync("[{", context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
        context.Abort();
    }

    public Task IssueTokenAsync(HttpContext context)
    {
        var number = Interlocked.Increment(ref _tokens);
        var body = string.Create(
            CultureInfo.InvariantCulture, $$"""{"access_token":"token-{{number}}","expires_in":{{TokenLifetime}},"token_type":"Bearer"}""");
        return Says(200, body)(context);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync(context.RequestAborted);
        Requests.Enqueue(new Received(context.Request.Method, target, context.Request.Headers.Authorization.ToString(), body));
        var script = _scripts.Where(entry => target.Contains(entry.Key, StringComparison.Ordinal)).MaxBy(entry => entry.Key.Length).Value;
        await (script?.Next() ?? Says(404, """{"error":"HTTP 404 Not Found"}"""))(context);
    }

    public sealed record Received(string Method, string Target, string Authorization, string Body);

    private sealed class Script(RequestDelegate[] answers)
    {
        private int _next = -1;

        public RequestDelegate Next() => answers[Math.Min(Interlocked.Increment(ref _next), answers.Length - 1)];
    }
}
