using System.Collections.Concurrent;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests;

/// <summary>The whole bridge in this process, composed as in production, on a free port and with settings of the test's own.</summary>
internal sealed class BridgeFixture : IAsyncDisposable, IDisposable
{
    public const string Secret = "s3cret";

    /// <summary>A schedule that no run of tests meets, and that is one all the same.</summary>
    public const string Never = "0 0 5 1 1 ?";

    private readonly WebApplication _app;

    private BridgeFixture(WebApplication app, LogLines log)
    {
        (_app, Log) = (app, log);
    }

    /// <summary>Every line that was logged, at whatever level.</summary>
    public LogLines Log { get; }

    public IServiceProvider Services => _app.Services;

    public Uri Url => new(_app.Urls.Single());

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

    /// <summary>Composes the bridge with a clock of the test's own.</summary>
    public static BridgeFixture Build(Dictionary<string, string?> settings, TimeProvider clock, params (string Key, string? Value)[] more)
    {
        foreach (var (key, value) in more)
            settings[key] = value;
        var builder = Program.Compose([]);
        builder.Configuration.AddInMemoryCollection(settings);
        var log = new LogLines();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(clock);
        builder.Services.AddSingleton<ILoggerProvider>(_ => new LogLines.Provider(log));
        return new BridgeFixture(Program.Build(builder), log);
    }

    public async Task<BridgeFixture> StartAsync()
    {
        await _app.StartAsync(Token);
        return this;
    }

    public Task StopAsync() => _app.StopAsync(Token);

    /// <summary>Asks the bridge over HTTP.</summary>
    public async Task<HttpResponseMessage> GetAsync(string path)
    {
        using var http = new HttpClient();
        return await http.GetAsync(new Uri(Url, path), Token);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    public void Dispose() => ((IDisposable)_app).Dispose();
}

/// <summary>Remembers what was logged.</summary>
internal sealed class LogLines
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyCollection<string> All => _lines;

    /// <summary>Whether some line holds this text.</summary>
    public bool Says(string text) => _lines.Any(line => line.Contains(text, StringComparison.Ordinal));

    internal sealed class Provider(LogLines log) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Logger(categoryName, log._lines);

        public void Dispose()
        {
        }
    }

    private sealed class Logger(string category, ConcurrentQueue<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{logLevel} {category} {eventId.Id} {formatter(state, exception)} {state} {exception}");
    }
}
