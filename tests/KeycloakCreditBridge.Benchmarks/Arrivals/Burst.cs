using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Bridges;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>Webhooks for many users at once, over 64 connections to all replicas by turns.</summary>
internal sealed class Burst(
    IReadOnlyList<BridgeProcess> replicas, BenchmarkDatabase database, ProcessorTime processors, int connections = Burst.Connections)
    : IDisposable
{
    public const int Connections = 64;

    private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = connections, UseProxy = false });

    /// <summary>Sends, and returns when every account is committed or progress has stopped.</summary>
    /// <param name="users">Users of the webhooks, one each.</param>
    /// <param name="settled">What has to be done besides; its processor time counts, and the time until then does not.</param>
    public async Task<BurstOutcome> SendAsync(IReadOnlyList<string> users, Func<Task>? settled = null)
    {
        var deliveries = users.Select(user => SignedDelivery.Of(LargeRealmFixture.Name, LargeRealmFixture.Secret, user)).ToArray();
        var refused = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        await database.ExecuteAsync("checkpoint");
        var before = Used();
        var started = Stopwatch.GetTimestamp();
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var number && number < deliveries.Length)
            {
                if (await RefusalAsync(replicas[number % replicas.Count].Url, deliveries[number]) is { } refusal)
                    refused.AddOrUpdate(refusal, 1, (_, count) => count + 1);
            }
        })));
        var answered = Stopwatch.GetElapsedTime(started);
        await AccountCheck.DrainedAsync(database);
        var done = Stopwatch.GetElapsedTime(started);
        if (settled is not null)
            await settled();
        var after = Used();
        return new BurstOutcome(
            done.TotalSeconds, answered.TotalSeconds, refused, after.Bridge - before.Bridge, after.Postgres - before.Postgres,
            after.Sender - before.Sender, after.Machine - before.Machine);
    }

    public void Dispose() => _http.Dispose();

    // What makes the plugin send again, or lose it: anything but 2xx, and no answer.
    private async Task<string?> RefusalAsync(Uri replica, ByteArrayContent delivery)
    {
        try
        {
            using var answer = await _http.PostAsync(new Uri(replica, $"webhooks/keycloak/{LargeRealmFixture.Name}"), delivery);
            return answer.StatusCode is >= HttpStatusCode.OK and < HttpStatusCode.Ambiguous ? null : $"{(int)answer.StatusCode}";
        }
        catch (HttpRequestException exception)
        {
            return exception.Message;
        }
    }

    private (double Bridge, double Postgres, double Sender, double Machine) Used() => (
        replicas.Sum(replica => replica.ProcessorSeconds), processors.Postgres, Environment.CpuUsage.TotalTime.TotalSeconds,
        ProcessorTime.Machine);
}

/// <param name="Seconds">From the first request to the last committed account.</param>
/// <param name="Answered">From the first request to the last answer.</param>
/// <param name="Refused">Answers other than 2xx, by status.</param>
/// <param name="Bridge">Seconds of a core that the replicas used.</param>
/// <param name="Postgres">The same of PostgreSQL.</param>
/// <param name="Sender">The same of this process.</param>
/// <param name="Machine">The same of all that runs.</param>
internal sealed record BurstOutcome(
    double Seconds, double Answered, IReadOnlyDictionary<string, int> Refused, double Bridge, double Postgres, double Sender,
    double Machine);
