using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests;

/// <summary>The whole bridge in this process, composed as in production, on a free port and with settings of the test's own.</summary>
internal sealed class BridgeFixture : IAsyncDisposable, IDisposable
{
    public const string Secret = "s3cret";

    /// <summary>A valid schedule that never fires during a test run.</summary>
    public const string Never = "0 0 5 1 1 ?";

    private readonly BridgeHost _host;
    private bool _runs;

    private BridgeFixture(BridgeHost host, LogLines log) => (_host, Log) = (host, log);

    /// <summary>Every line that was logged, at whatever level.</summary>
    public LogLines Log { get; }

    public IServiceProvider Services => _host.Services;

    public Uri Url => _host.Url;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Settings that any start needs: no schedule and no polling unless a test asks for them.</summary>
    public static Dictionary<string, string?> Settings(string connectionString, Uri keycloak) => new(StringComparer.OrdinalIgnoreCase)
    {
        ["Urls"] = "http://127.0.0.1:0",
        ["Storage:ConnectionString"] = connectionString,
        ["Keycloak:Url"] = keycloak.ToString(),
        ["Keycloak:ClientSecret"] = Secret,
        ["Keycloak:Realms:0:Name"] = EmulatorFixture.Realm,
        ["Intake:Poll:Enabled"] = "false",
        ["Reconciliation:Enabled"] = "false",
        ["Reconciliation:Cron"] = Never,
        ["Reconciliation:CompleteCron"] = Never,
        ["Reconciliation:PageSize"] = "10",
        ["Reconciliation:OverlapRows"] = "3",
        ["Reconciliation:WindowUsers"] = "10",
    };

    /// <summary>Composes the bridge and starts nothing.</summary>
    public static BridgeFixture Build(TestDatabase database, EmulatorFixture keycloak, params (string Key, string? Value)[] more) =>
        Build(Settings(database.ConnectionString, keycloak.Server.Url), more);

    public static BridgeFixture Build(Dictionary<string, string?> settings, params (string Key, string? Value)[] more) =>
        Build(settings, TimeProvider.System, more);

    /// <summary>Composes the bridge with a clock of the test's own, by which credits end too.</summary>
    public static BridgeFixture Build(
        Dictionary<string, string?> settings, TimeProvider clock, params (string Key, string? Value)[] more) =>
        Build(settings, clock, clock == TimeProvider.System ? new GrantClock() : new GrantClock(() => clock.GetUtcNow()), more);

    /// <summary>The same with another clock by which credits end.</summary>
    public static BridgeFixture Build(
        Dictionary<string, string?> settings, TimeProvider clock, GrantClock ends, params (string Key, string? Value)[] more)
    {
        foreach (var (key, value) in more)
            settings[key] = value;
        var log = new LogLines();
        var host = BridgeHost.Build(settings, builder =>
        {
            builder.Logging.ClearProviders();
            builder.Services.AddSingleton(clock);
            builder.Services.AddSingleton(ends);
            builder.Services.AddSingleton<ILoggerProvider>(log);
        });
        return new BridgeFixture(host, log);
    }

    public async Task<BridgeFixture> StartAsync()
    {
        _runs = true;
        await _host.StartAsync(Token);
        return this;
    }

    public Task StopAsync() => EndAsync(Token);

    /// <summary>Asks the bridge over HTTP.</summary>
    public async Task<HttpResponseMessage> GetAsync(string path)
    {
        using var http = new HttpClient();
        return await http.GetAsync(new Uri(Url, path), Token);
    }

    /// <summary>All series that the bridge shows.</summary>
    public async Task<string> ReadMetricsAsync()
    {
        using var answer = await GetAsync("metrics");
        return await answer.Content.ReadAsStringAsync(Token);
    }

    // The threads of a schedule that goes on keep the test run from its end.
    public async ValueTask DisposeAsync()
    {
        if (_runs && Services.GetRequiredService<QuartzHost>().Running is not null)
            await EndAsync(CancellationToken.None);
        _runs = false;
        await _host.DisposeAsync();
    }

    public void Dispose() => _host.Dispose();

    private Task EndAsync(CancellationToken cancellationToken)
    {
        _runs = false;
        return _host.StopAsync(cancellationToken);
    }
}
