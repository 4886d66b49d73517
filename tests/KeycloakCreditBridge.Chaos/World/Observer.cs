using System.Collections.Concurrent;
using System.Net.Sockets;

namespace KeycloakCreditBridge.Chaos.World;

/// <summary>
/// Sees what an operator sees: logs, and metrics as Prometheus scrapes them. It starts replicas again that end by themselves.
/// </summary>
internal sealed class Observer(ChaosWorld world) : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(1) };

    public ConcurrentQueue<Scrape> Scrapes { get; } = new();

    public async Task WatchAsync(CancellationToken stop)
    {
        await Task.WhenAll(world.Replicas.Select(async replica =>
        {
            while (!stop.IsCancellationRequested)
            {
                Scrapes.Enqueue(await ScrapeAsync(replica));
                replica.ReadLog();
                await replica.ReviveAsync();
                await Task.Delay(Interval, CancellationToken.None);
            }
        }));
    }

    public void Dispose() => _http.Dispose();

    private async Task<Scrape> ScrapeAsync(Replica replica)
    {
        var at = DateTimeOffset.UtcNow;
        try
        {
            return Scrape.Parse(at, replica.Number, await _http.GetStringAsync(new Uri(replica.Url, "metrics")));
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException or SocketException)
        {
            return new Scrape(at, replica.Number, null);
        }
    }
}
