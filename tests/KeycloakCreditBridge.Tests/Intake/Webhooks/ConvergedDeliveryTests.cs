using System.Net;
using System.Net.Http.Headers;
using System.Text;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

/// <summary>Webhooks to a whole bridge, whose clock stands still while they are answered: no wait is over before its end.</summary>
public sealed class ConvergedDeliveryTests(PostgresFixture postgres) : IAsyncLifetime
{
    private readonly ManualTimeProvider _clock = new(TimeProvider.System.GetUtcNow());

    private TestDatabase _database = null!;
    private EmulatorFixture _keycloak = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _keycloak = await EmulatorFixture.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _keycloak.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task The_account_is_committed_when_the_webhook_is_answered_and_the_delivery_says_so()
    {
        var user = await _keycloak.CreateAsync("ana");
        await using var bridge = await StartAsync(("Keycloak:Realms:0:WebhookSecrets:0", Deliveries.Secret));

        await DeliverAsync(bridge, user, (headers, body) => headers.Add("X-Keycloak-Signature", Deliveries.Sign(body)));

        Assert.Equal([user], await _database.QueryAsync<string>("select user_id from user_credits"));
        Assert.False(await _database.ScalarAsync<bool>("select is_called from user_hints_version"));
        Assert.Contains(204, bridge.Log.EventIds);
        var metrics = await bridge.ReadMetricsAsync();
        Assert.Contains("bridge_webhook_accepted_total{realm=\"demo\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("bridge_webhook_converged_total{realm=\"demo\"} 1", metrics, StringComparison.Ordinal);
        await StopAsync(bridge);
        Assert.Equal(
            [(user, "converged", 0)],
            await _database.QueryAsync<(string, string, int)>("select keycloak_id, outcome, hints from deliveries"));
    }

    // These plugins send before Keycloak commits, and some wait for the answer meanwhile.
    [Fact]
    public async Task An_event_of_a_plugin_that_sends_before_the_commit_is_stored()
    {
        var user = await _keycloak.CreateAsync("ana");
        await using var bridge = await StartAsync(
            ("Keycloak:Realms:0:WebhookSecrets:0", "vymalo:secret"), ("Keycloak:Realms:0:WebhookAuthentication", "Basic"));

        await DeliverAsync(bridge, user, (headers, _) => headers.Authorization = new AuthenticationHeaderValue(
            "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes("vymalo:secret"))));

        Assert.True(await _database.ScalarAsync<bool>("select is_called from user_hints_version"));
        await Eventually.TrueAsync(
            async () => await _database.ScalarAsync<int>("select count(*)::int from user_credits") == 1, "the worker opens the account");
        await StopAsync(bridge);
        Assert.Equal(["stored"], await _database.QueryAsync<string>("select outcome from deliveries"));
    }

    private async Task<BridgeFixture> StartAsync(params (string Key, string? Value)[] settings)
    {
        var bridge = BridgeFixture.Build(
            BridgeFixture.Settings(_database.ConnectionString, _keycloak.Server.Url), _clock,
            [("Hints:ConvergeWithin", "00:00:00.25"), .. settings]);
        await _clock.AdvanceUntilDoneAsync(bridge.StartAsync(), TimeSpan.FromMilliseconds(50), Token);
        await _clock.AdvanceUntilDoneAsync(
            Eventually.TrueAsync(
                async () => (await bridge.GetAsync("health/ready")).StatusCode == HttpStatusCode.OK, "the bridge is ready"),
            TimeSpan.FromMilliseconds(50), Token);
        return bridge;
    }

    private Task StopAsync(BridgeFixture bridge) =>
        _clock.AdvanceUntilDoneAsync(bridge.StopAsync(), TimeSpan.FromMilliseconds(50), Token);

    private static async Task DeliverAsync(BridgeFixture bridge, string user, Action<HttpRequestHeaders, byte[]> prove)
    {
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent(user));
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(
            HttpMethod.Post, new Uri(bridge.Url, $"webhooks/keycloak/{EmulatorFixture.Realm}"));
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        prove(request.Headers, body);
        using var answer = await http.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
    }
}
