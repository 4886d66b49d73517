namespace KeycloakCreditBridge.Sandbox.Bridges;

/// <summary>The whole bridge in this process, composed as `KeycloakCreditBridge run` composes it, with settings of its own.</summary>
internal sealed class BridgeHost(WebApplication app) : IAsyncDisposable, IDisposable
{
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromMinutes(2);

    public IServiceProvider Services => app.Services;

    public Uri Url => new(app.Urls.First());

    /// <summary>Composes the bridge and starts nothing.</summary>
    /// <param name="settings">Settings that override all others.</param>
    /// <param name="configure">Replaces services, the clock or the log.</param>
    /// <param name="extend">Adds routes to the bridge's own.</param>
    public static BridgeHost Build(
        IReadOnlyDictionary<string, string?> settings, Action<WebApplicationBuilder>? configure = null,
        Action<WebApplication>? extend = null)
    {
        var builder = Program.Compose([]);
        builder.Configuration.AddInMemoryCollection(settings);
        configure?.Invoke(builder);
        var app = Program.Build(builder);
        extend?.Invoke(app);
        return new BridgeHost(app);
    }

    /// <summary>Starts the bridge and returns when it is ready.</summary>
    /// <param name="url">Where it listens.</param>
    /// <param name="settings">Settings that override all others.</param>
    /// <param name="cancellationToken">Cancels the wait for readiness.</param>
    /// <param name="extend">Adds routes to the bridge's own.</param>
    public static async Task<BridgeHost> StartReadyAsync(
        Uri url, IReadOnlyDictionary<string, string?> settings, CancellationToken cancellationToken, Action<WebApplication>? extend = null)
    {
        var host = Build(
            new Dictionary<string, string?>(settings, StringComparer.OrdinalIgnoreCase) { ["Urls"] = url.ToString() }, null, extend);
        try
        {
            await host.StartAsync(cancellationToken);
            await ReadyAsync(new Uri(url, "health/ready"), cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => app.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => app.StopAsync(cancellationToken);

    public ValueTask DisposeAsync() => app.DisposeAsync();

    public void Dispose() => ((IDisposable)app).Dispose();

    private static async Task ReadyAsync(Uri page, CancellationToken cancellationToken)
    {
        using var http = new HttpClient();
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            using var answer = await http.GetAsync(page, cancellationToken);
            if (answer.IsSuccessStatusCode)
                return;
            if (TimeProvider.System.GetElapsedTime(started) > ReadyTimeout)
                throw new InvalidOperationException(
                    $"The bridge is not ready: {await answer.Content.ReadAsStringAsync(cancellationToken)}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
        }
    }
}
