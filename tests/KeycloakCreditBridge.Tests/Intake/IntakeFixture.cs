using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Intake.Polling;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Intake;

/// <summary>The bridge's intake in a real HTTP server on a free port, for realm `demo` unless told otherwise.</summary>
internal sealed class IntakeFixture : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _http;
    private readonly LogLines _log;
    private readonly StrongBox<int> _arrived;

    private IntakeFixture(WebApplication app, LogLines log, StrongBox<int> arrived)
    {
        (_app, _log, _arrived) = (app, log, arrived);
        _http = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()) };
    }

    public Uri Url => _http.BaseAddress!;

    public RealmPollStatus Polling => _app.Services.GetRequiredService<PollStatus>().Of("demo");

    /// <summary>Event ids of what was logged so far.</summary>
    public IEnumerable<int> LogIds => _log.EventIds;

    /// <summary>How many requests have come so far, answered or not.</summary>
    public int Arrived => Volatile.Read(ref _arrived.Value);

    /// <summary>What the bridge has found against the schema, once it has looked.</summary>
    public string? SchemaProblem => _app.Services.GetRequiredService<SchemaGate>().Problem;

    public LostEventsSignal Requests => _app.Services.GetRequiredService<LostEventsSignal>();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Starts with these settings besides the usual ones; a setting without a value takes a usual one away.</summary>
    public static async Task<IntakeFixture> StartAsync(string connectionString, params (string Key, string? Value)[] settings)
    {
        var builder = WebApplication.CreateSlimBuilder();
        var log = new LogLines();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<ILoggerProvider>(log);
        var all = new Dictionary<string, string?>
        {
            ["urls"] = "http://127.0.0.1:0",
            ["Storage:ConnectionString"] = connectionString,
            ["Keycloak:Url"] = "http://127.0.0.1:9",
            ["Keycloak:ClientSecret"] = "s3cret",
            ["Keycloak:Realms:0:Name"] = "demo",
            ["Keycloak:Realms:0:WebhookSecrets:0"] = Deliveries.Secret,
            ["Intake:Poll:Enabled"] = "false",
        };
        foreach (var (key, value) in settings)
            all[key] = value;
        builder.Configuration.AddInMemoryCollection(all.Where(setting => setting.Value is not null));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.AddReload();
        builder.AddTelemetry();
        builder.AddStorage();
        builder.AddHosting();
        builder.AddKeycloak();
        builder.AddHints();
        builder.AddIntake();
        var app = builder.Build();
        var arrived = new StrongBox<int>();
        app.Use((context, next) =>
        {
            Interlocked.Increment(ref arrived.Value);
            return next(context);
        });
        app.MapIntake();
        await app.StartAsync(Token);
        return new IntakeFixture(app, log, arrived);
    }

    public Task SchemaReadyAsync() => _app.Services.GetRequiredService<SchemaGate>().WaitAsync(Token);

    /// <summary>Sends a delivery as the plugin does, signed unless <paramref name="change"/> changes it.</summary>
    public async Task<(HttpStatusCode Status, string Answer, string? RetryAfter)> DeliverAsync(
        byte[] body, string path = "webhooks/keycloak/demo", Action<HttpRequestMessage>? change = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative));
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add(HmacSignature.Header, Deliveries.Sign(body));
        change?.Invoke(request);
        using var response = await _http.SendAsync(request, Token);
        if (!response.IsSuccessStatusCode)
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Token), response.Headers.RetryAfter?.ToString());
    }

    public Task<(HttpStatusCode Status, string Answer, string? RetryAfter)> DeliverAsync(
        string body, string path = "webhooks/keycloak/demo", Action<HttpRequestMessage>? change = null) =>
        DeliverAsync(Encoding.UTF8.GetBytes(body), path, change);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }
}
