using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Tests.Intake;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>A whole bridge on a clock that a test advances, and the series that Prometheus would scrape of it.</summary>
internal sealed class WatchedBridgeFixture : IAsyncDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(5);

    private readonly ManualTimeProvider _clock = new(DateTimeOffset.UtcNow);
    private readonly HttpClient _http = new();

    public EmulatorFixture Keycloak { get; private set; } = null!;

    public BridgeFixture Bridge { get; private set; } = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Starts the bridge and returns when it is at work.</summary>
    public static async Task<WatchedBridgeFixture> StartAsync(string connectionString, params (string Key, string? Value)[] settings)
    {
        var fixture = new WatchedBridgeFixture { Keycloak = await EmulatorFixture.StartAsync() };
        fixture.Bridge = await BridgeFixture.Build(
            BridgeFixture.Settings(connectionString, fixture.Keycloak.Server.Url), fixture._clock,
            [("Keycloak:Realms:0:WebhookSecrets:0", Deliveries.Secret), .. settings]).StartAsync();
        await fixture.AfterAsync(page => Sum(page, "bridge_replicas_live") == 1 && Sum(page, "bridge_hints_dead") == 0, "it is at work");
        return fixture;
    }

    /// <summary>What a scrape brings now; null where it fails.</summary>
    public async Task<string?> ScrapeAsync()
    {
        try
        {
            return await Bridge.ReadMetricsAsync();
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Lets the bridge's time go by until its page shows something, and returns that page.</summary>
    public Task<string> AfterAsync(Func<string, bool> shows, string expectation) => AfterAsync(shows, expectation, Step);

    /// <summary>The same with longer steps, for what comes after hours.</summary>
    public async Task<string> AfterAsync(Func<string, bool> shows, string expectation, TimeSpan step)
    {
        var page = "";
        await Eventually.TrueAsync(
            async () =>
            {
                _clock.Advance(step);
                page = await Bridge.ReadMetricsAsync();
                return shows(page);
            },
            expectation);
        return page;
    }

    /// <summary>Has work of the bridge done while its time goes by.</summary>
    public Task DoAsync(Task work) => _clock.AdvanceUntilDoneAsync(work, Step, Token);

    /// <summary>Sends a webhook of a registration.</summary>
    public async Task<HttpStatusCode> DeliverAsync(string userId, string secret = Deliveries.Secret)
    {
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent(userId));
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Bridge.Url, "webhooks/keycloak/demo"));
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add(HmacSignature.Header, Deliveries.Sign(body, secret));
        using var answer = await _http.SendAsync(request, Token);
        return answer.StatusCode;
    }

    /// <summary>The sum of all series of a page that begin like this; not a number where there is none.</summary>
    public static double Sum(string page, string series)
    {
        double[] values =
        [
            .. page.Split('\n')
                .Where(line => line.StartsWith(series, StringComparison.Ordinal) && line[series.Length] is ' ' or '{' or ',')
                .Select(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture)),
        ];
        return values.Length == 0 ? double.NaN : values.Sum();
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Bridge.DisposeAsync();
        await Keycloak.DisposeAsync();
    }
}
