using System.Collections.Concurrent;
using System.Net;
using System.Runtime.ExceptionServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>
/// The keys that realms sign their tokens with, as they publish them, cached for a while. The last keys of a realm stay valid while it
/// cannot be reached. An unknown key or issuer is asked for at once, but not for each token that names one. Callers share one reading.
/// </summary>
internal sealed class RealmKeys(IHttpClientFactory clients, IOptions<KeycloakOptions> options, TimeProvider clock)
{
    private const string RequestName = "GET keys";

    private static readonly TimeSpan CacheDuration = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan MinInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MaxReadTime = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, RealmState> _realms = new(StringComparer.Ordinal);

    /// <param name="realm">A configured realm.</param>
    /// <param name="keyId">The key that is needed.</param>
    /// <param name="issuer">The issuer that is needed: it changes with Keycloak's public address.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="KeycloakException">
    /// The key or issuer is not known, and Keycloak did not say whether the realm has it.
    /// </exception>
    public async Task<PublishedKeys> GetAsync(string realm, string? keyId, string issuer, CancellationToken cancellationToken)
    {
        _ = options.Value.Realm(realm);
        var state = _realms.GetOrAdd(realm, _ => new RealmState());
        Task<Reading> reading;
        lock (state.Gate)
        {
            var now = clock.GetUtcNow();
            var known = state.KeysOf(keyId, issuer);
            if (known is not null && now < state.ReadAt + CacheDuration)
                return known;
            if (state.Last is { } last && now < state.AskedAt + MinInterval)
                return known ?? KeysOf(last);
            reading = state.Running ??= Task.Run(() => RenewAsync(realm, state), CancellationToken.None);
            if (known is not null)
                return known;
        }

        return KeysOf(await reading.WaitAsync(cancellationToken));
    }

    private static PublishedKeys KeysOf(Reading reading)
    {
        if (reading.Failure is { } failure)
            ExceptionDispatchInfo.Throw(failure);
        return reading.Keys!;
    }

    private async Task<Reading> RenewAsync(string realm, RealmState state)
    {
        Reading? reading = null;
        try
        {
            reading = new Reading(await ReadAsync(realm), null);
        }
        catch (KeycloakException exception)
        {
            reading = new Reading(null, exception);
        }
        finally
        {
            lock (state.Gate)
                state.Complete(reading, clock.GetUtcNow());
        }

        return reading;
    }

    private async Task<PublishedKeys> ReadAsync(string realm)
    {
        var failure = new KeycloakErrors(realm, options.Value);
        var limit = options.Value.RequestTimeout < MaxReadTime ? options.Value.RequestTimeout : MaxReadTime;
        using var timeout = new CancellationTokenSource(limit, clock);
        try
        {
            var segment = $"realms/{Uri.EscapeDataString(realm)}";
            using var discovery = await ReadAsync(
                failure, $"{segment}/.well-known/openid-configuration", text => JsonDocument.Parse(text), timeout.Token);
            // The discovery document names the public address, which may not be reachable from here.
            var keys = await ReadAsync(failure, $"{segment}/protocol/openid-connect/certs", JsonWebKeySet.Create, timeout.Token);
            return new PublishedKeys(
                [IssuerIn(discovery) ?? throw failure.Garbled(RequestName), .. OwnIssuer(segment)],
                [.. keys.Keys.Where(IsForSignatures)]);
        }
        catch (OperationCanceledException exception) when (timeout.IsCancellationRequested)
        {
            throw limit < MaxReadTime ? failure.TooSlow(RequestName, exception) : failure.TooSlow(RequestName, limit, exception);
        }
        catch (HttpRequestException exception)
        {
            throw failure.Unreachable(exception);
        }
    }

    // A key may leave its use open, or tell it by what may be done with it (RFC 7517).
    private static bool IsForSignatures(JsonWebKey key) =>
        (string.IsNullOrEmpty(key.Use) || key.Use == JsonWebKeyUseNames.Sig)
        && (key.KeyOps.Count == 0 || key.KeyOps.Contains("verify", StringComparer.Ordinal));

    private static string? IssuerIn(JsonDocument discovery) =>
        discovery.RootElement.ValueKind == JsonValueKind.Object
        && discovery.RootElement.TryGetProperty("issuer", out var issuer) && issuer.ValueKind == JsonValueKind.String
            ? issuer.GetString()
            : null;

    private IEnumerable<string> OwnIssuer(string segment) =>
        options.Value.PublicUrl is { Length: > 0 } url ? [$"{url.TrimEnd('/')}/{segment}"] : [];

    private async Task<T> ReadAsync<T>(KeycloakErrors failure, string path, Func<string, T> parse, CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient(KeycloakOptions.HttpClientName);
        using var response = await client.GetAsync(options.Value.Address(path), cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
            throw failure.NotFound(RequestName, ServerError.Read(body));
        if (response.StatusCode != HttpStatusCode.OK)
            throw failure.NoKeys(RequestName, response.StatusCode, ServerError.Read(body));
        try
        {
            return parse(Encoding.UTF8.GetString(body));
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            throw failure.Garbled(RequestName);
        }
    }

    private sealed record Reading(PublishedKeys? Keys, KeycloakException? Failure);

    private sealed class RealmState
    {
        public Lock Gate { get; } = new();

        public Task<Reading>? Running { get; set; }

        public Reading? Last { get; private set; }

        public DateTimeOffset AskedAt { get; private set; }

        public PublishedKeys? Keys { get; private set; }

        public DateTimeOffset ReadAt { get; private set; }

        public PublishedKeys? KeysOf(string? keyId, string issuer) =>
            Keys?.Contains(keyId) == true && Keys.Issuers.Contains(issuer, StringComparer.Ordinal) ? Keys : null;

        public void Complete(Reading? reading, DateTimeOffset now)
        {
            (Running, Last, AskedAt) = (null, reading, now);
            if (reading?.Keys is { } keys)
                (Keys, ReadAt) = (keys, now);
        }
    }
}

/// <param name="Issuers">What tokens of the realm may name as their issuer.</param>
/// <param name="Keys">Those for signatures.</param>
internal sealed record PublishedKeys(IReadOnlyList<string> Issuers, IReadOnlyList<JsonWebKey> Keys)
{
    public bool Contains(string? keyId) => Keys.Any(key => key.KeyId == keyId);

    /// <summary>The keys of this id that may sign with this algorithm: a key that names one is for no other (RFC 8725).</summary>
    public IReadOnlyList<JsonWebKey> KeysFor(string? keyId, string? algorithm) =>
        [.. Keys.Where(key => key.KeyId == keyId && (string.IsNullOrEmpty(key.Alg) || key.Alg == algorithm))];
}
