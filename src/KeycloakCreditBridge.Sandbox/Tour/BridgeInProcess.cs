namespace KeycloakCreditBridge.Sandbox.Tour;

/// <summary>The whole bridge in this process, as `KeycloakCreditBridge run` would be, with settings of its own.</summary>
internal sealed class BridgeInProcess(WebApplication app) : IAsyncDisposable
{
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(60);

    public IServiceProvider Services => app.Services;

    /// <param name="url">Where it listens.</param>
    /// <param name="settings">Win over all others.</param>
    /// <param name="cancellationToken">Ends the wait until it is ready.</param>
    /// <param name="extend">Maps routes beside the bridge's own.</param>
    public static async Task<BridgeInProcess> StartAsync(
        Uri url, IReadOnlyDictionary<string, string?> settings, CancellationToken cancellationToken, Action<WebApplication>? extend = null)
    {
        var builder = Program.Compose(["--urls", url.ToString()]);
        builder.Configuration.AddInMemoryCollection(settings);
        var app = Program.Build(builder);
        extend?.Invoke(app);
        try
        {
            await app.StartAsync(cancellationToken);
            await ReadyAsync(new Uri(url, "health/ready"), cancellationToken);
            return new BridgeInProcess(app);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }

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
                throw new InvalidOperationException($"The bridge is not ready: {await answer.Content.ReadAsStringAsync(cancellationToken)}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
        }
    }
}
