using System.Net;
using System.Text.Json;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace KeycloakCreditBridge.Tests.Health;

public sealed class HealthTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_bridge_that_can_work_is_ready_and_says_what_it_checked()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        await using var bridge = await BridgeFixture.Build(fixture.Database, fixture.Keycloak,
            ("Intake:Poll:Enabled", "true")).StartAsync();

        await Eventually.TrueAsync(async () => (await ReadyAsync(bridge)).Status == HttpStatusCode.OK, "the bridge is ready");

        var (_, answer) = await ReadyAsync(bridge);
        Assert.Equal("ready", answer.GetProperty("status").GetString());
        Assert.Equal(
            ["balances", "database", "keycloak:demo", "poll:demo", "schedule", "settings"],
            answer.GetProperty("checks").EnumerateObject().Select(check => check.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_bridge_that_Keycloak_refuses_lives_but_is_not_ready()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        await using var bridge = await BridgeFixture.Build(
            fixture.Database, fixture.Keycloak, ("Keycloak:ClientSecret", "not-the-secret")).StartAsync();

        var (status, answer) = await ReadyAsync(bridge);
        using var live = await bridge.GetAsync("health/live");

        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK), (status, live.StatusCode));
        Assert.Equal("not ready", answer.GetProperty("status").GetString());
        Assert.Equal("failed", answer.GetProperty("checks").GetProperty("keycloak:demo").GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_bridge_started_before_its_database_lives_and_becomes_ready_with_it()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await using var server = await PostgresFixture.StartOwnAsync();
        var connectionString = await server.CreateDatabaseAsync("late", TestContext.Current.CancellationToken);
        await server.StopAsync(immediate: true);
        var settings = BridgeFixture.Settings(connectionString, fixture.Keycloak.Server.Url);
        await using var bridge = await BridgeFixture.Build(settings, ("Reconciliation:Enabled", "true")).StartAsync();

        using var live = await bridge.GetAsync("health/live");
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable), (live.StatusCode, (await ReadyAsync(bridge)).Status));

        await server.StartAgainAsync(TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(async () => (await ReadyAsync(bridge)).Status == HttpStatusCode.OK, "the bridge is ready");
        await using var database = new TestDatabase(connectionString);
        await Eventually.TrueAsync(async () => await AccountsAsync(database) == 5, "the first reconciliation has run");
        await bridge.StopAsync();
    }

    [Fact]
    public async Task A_bridge_has_started_once_its_schema_is_ready_whatever_Keycloak_does()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync("alter table schema_migrations rename to hidden");
        await using var bridge = await BridgeFixture.Build(
            BridgeFixture.Settings(database.ConnectionString, new Uri("http://127.0.0.1:9")),
            ("Storage:MigrateOnStart", "false")).StartAsync();
        using var starting = await bridge.GetAsync("health/startup");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, starting.StatusCode);
        Assert.Contains(
            "\"status\":\"starting\"", await starting.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal);

        await database.ExecuteAsync("alter table hidden rename to schema_migrations");
        await Eventually.TrueAsync(
            async () =>
            {
                using var started = await bridge.GetAsync("health/startup");
                return started.StatusCode == HttpStatusCode.OK;
            },
            "it has started");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await ReadyAsync(bridge)).Status);
    }

    [Fact]
    public async Task A_bridge_whose_database_never_answers_stops_cleanly()
    {
        var settings = BridgeFixture.Settings(
            $"Host=127.0.0.1;Port={FreePort.Next()};Username=x;Database=y", new Uri("http://127.0.0.1:9"));
        await using var bridge = await BridgeFixture.Build(settings, ("Reconciliation:Enabled", "true")).StartAsync();

        await bridge.StopAsync();

        // What does not end by itself is left behind when the time for it is over.
        Assert.All(
            bridge.Services.GetServices<IHostedService>().OfType<BackgroundService>(),
            service => Assert.True(service.ExecuteTask?.IsCompleted));
    }

    [Fact]
    public async Task However_many_ask_readiness_is_checked_once_a_second_at_most()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        var clock = new ManualTimeProvider(DateTimeOffset.UtcNow);
        await using var bridge = await BridgeFixture.Build(
            BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Server.Url), clock).StartAsync();

        await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => ReadyAsync(bridge)));
        Assert.Equal(1, Checks());
        clock.Advance(TimeSpan.FromSeconds(1));
        await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => ReadyAsync(bridge)));
        Assert.Equal(2, Checks());

        int Checks() => bridge.Log.All.Count(line => line.Contains("Running health checks", StringComparison.Ordinal));
    }

    private static async Task<int> AccountsAsync(TestDatabase database) =>
        await database.ScalarAsync<int>("select count(*)::int from user_credits");

    private static async Task<(HttpStatusCode Status, JsonElement Answer)> ReadyAsync(BridgeFixture bridge)
    {
        using var answer = await bridge.GetAsync("health/ready");
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return (answer.StatusCode, document.RootElement.Clone());
    }
}
