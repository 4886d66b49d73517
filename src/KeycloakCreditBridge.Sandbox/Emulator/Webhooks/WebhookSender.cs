using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;

namespace KeycloakCreditBridge.Sandbox.Emulator.Webhooks;

/// <summary>
/// Delivers webhooks as the plugin does: a few at once, in no order, from memory. An answer other than 2xx is tried again for
/// 15 minutes; a receiver that cannot be reached loses the event at once.
/// </summary>
internal sealed class WebhookSender(EmulatorClock clock) : IAsyncDisposable
{
    public const string Listener = "ext-event-webhook";

    private static readonly TimeSpan InitialBackoff = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(180);
    private static readonly TimeSpan LongestTry = TimeSpan.FromSeconds(900);

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private readonly SemaphoreSlim _threads = new(Environment.ProcessorCount);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<string, Task> _underWay = new(StringComparer.Ordinal);

    /// <summary>Starts the delivery to every subscription that wants it.</summary>
    public void Send(RealmState realm, WebhookBody body)
    {
        if (!realm.Events.EventsListeners.Contains(Listener))
            return;
        WebhookSubscription[] wanting;
        lock (realm.Gate)
            wanting = [.. realm.Webhooks.Where(webhook => webhook.Wants(body.Type))];
        foreach (var webhook in wanting)
        {
            var uid = Guid.NewGuid().ToString();
            var delivery = DeliverAsync(webhook, body with { Uid = uid });
            _underWay[uid] = delivery;
            _ = delivery.ContinueWith(_ => _underWay.TryRemove(uid, out var _), TaskScheduler.Default);
        }
    }

    /// <summary>Ends when every delivery so far was accepted, lost or given up.</summary>
    public Task IdleAsync(CancellationToken token) => Task.WhenAll(_underWay.Values).WaitAsync(token);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await IdleAsync(CancellationToken.None);
        _http.Dispose();
        _threads.Dispose();
        _stopping.Dispose();
    }

    private async Task DeliverAsync(WebhookSubscription webhook, WebhookBody body)
    {
        try
        {
            var bytes = JsonSerializer.SerializeToUtf8Bytes(body, EmulatorJson.AsKeycloak.WebhookBody);
            var started = clock.Source.GetTimestamp();
            for (var backoff = InitialBackoff; !await IsAcceptedAsync(webhook, bytes); backoff = NextBackoff(backoff))
            {
                var wait = backoff * (RandomNumberGenerator.GetInt32(500, 1500) / 1000.0);
                if (clock.Source.GetElapsedTime(started) + wait > LongestTry)
                    return;
                await Task.Delay(wait, clock.Source, _stopping.Token);
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or UriFormatException or OperationCanceledException)
        {
            // The plugin logs a line and loses the event; a stopping server loses it too.
        }
    }

    private async Task<bool> IsAcceptedAsync(WebhookSubscription webhook, byte[] body)
    {
        await _threads.WaitAsync(_stopping.Token);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, webhook.Url) { Content = new ByteArrayContent(body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.TryAddWithoutValidation("User-Agent", "Apache-HttpClient/4.5.14 (Java/25.0.3)");
            if (webhook.Secret is { } secret)
                request.Headers.Add("X-Keycloak-Signature", Sign(webhook.Algorithm, Encoding.UTF8.GetBytes(secret), body));
            using var response = await _http.SendAsync(request, _stopping.Token);
            return response.IsSuccessStatusCode;
        }
        finally
        {
            _threads.Release();
        }
    }

    private static TimeSpan NextBackoff(TimeSpan backoff) => backoff * 5 < LongestBackoff ? backoff * 5 : LongestBackoff;

#pragma warning disable CA5350 // The plugin offers HmacSHA1, so a receiver must be tried with it.
    private static string Sign(string algorithm, byte[] secret, byte[] body) => Convert.ToHexStringLower(
        algorithm is "HmacSHA1" ? HMACSHA1.HashData(secret, body) : HMACSHA256.HashData(secret, body));
#pragma warning restore CA5350
}
