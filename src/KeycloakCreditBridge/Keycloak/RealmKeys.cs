using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>
/// The keys that realms sign their tokens with, as they publish them, kept for a while. A realm that cannot be asked is known by its last
/// keys; an unknown key is asked for at once, but not for each token that claims one.
/// </summary>
internal sealed class RealmKeys(IHttpClientFactory clients, IOptions<KeycloakOptions> options, TimeProvider clock)
{
    private const string Asked = "GET keys";

    private static readonly TimeSpan GoodFor = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, RealmState> _realms = new(StringComparer.Ordinal);

    /// <param name="realm">A configured realm.</param>
    /// <param name="keyId">The key that is needed.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="KeycloakException">The keys are not known, and Keycloak did not tell them.</exception>
    public async Task<PublishedKeys> GetAsync(string realm, string? keyId, CancellationToken cancellationToken)
    {
        _ = options.Value.Realm(realm);
        var state = _realms.GetOrAdd(realm, _ => new RealmState());
        if (IsEnough(state, keyId))
            return state.Keys!;
        await state.Gate.WaitAsync(cancellationToken);
        try
        {
            return IsEnough(state, keyId) ? state.Keys! : await RenewAsync(realm, state, cancellationToken);
        }
        finally
        {
            state.Gate.Release();
        }
    }

    private bool IsEnough(RealmState state, string? keyId)
    {
        if (state.Keys is not { } keys)
            return false;
        var now = clock.GetUtcNow();
        return now < state.AskedAt + Pause || (now < state.AskedAt + GoodFor && keys.Holds(keyId));
    }

    private async Task<PublishedKeys> RenewAsync(string realm, RealmState state, CancellationToken cancellationToken)
    {
        try
        {
            state.Keys = await ReadAsync(realm, cancellationToken);
            return state.Keys;
        }
        catch (KeycloakException) when (state.Keys is not null)
        {
            return state.Keys;
        }
        finally
        {
            state.AskedAt = clock.GetUtcNow();
        }
    }

    private async Task<PublishedKeys> ReadAsync(string realm, CancellationToken cancellationToken)
    {
        var failure = new KeycloakFailure(realm, options.Value);
        using var timeout = new CancellationTokenSource(options.Value.RequestTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            var segment = $"realms/{Uri.EscapeDataString(realm)}";
            using var discovery = await ReadAsync(failure, $"{segment}/.well-known/openid-configuration", text => JsonDocument.Parse(text), either.Token);
            // The address that the discovery document names is the public one, which may lead nowhere from here.
            var keys = await ReadAsync(failure, $"{segment}/protocol/openid-connect/certs", JsonWebKeySet.Create, either.Token);
            return new PublishedKeys(
                [IssuerIn(discovery) ?? throw failure.Garbled(Asked), .. OwnIssuer(segment)],
                [.. keys.Keys.Where(key => key.Use == JsonWebKeyUseNames.Sig)]);
        }
        catch (OperationCanceledException exception) when (timeout.IsCancellationRequested)
        {
            throw failure.TooSlow(Asked, exception);
        }
        catch (HttpRequestException exception)
        {
            throw failure.Unreachable(exception);
        }
    }

    private static string? IssuerIn(JsonDocument discovery) =>
        discovery.RootElement.ValueKind == JsonValueKind.Object
        && discovery.RootElement.TryGetProperty("issuer", out var issuer) && issuer.ValueKind == JsonValueKind.String
            ? issuer.GetString()
            : null;

    private IEnumerable<string> OwnIssuer(string segment) =>
        options.Value.PublicUrl is { Length: > 0 } url ? [$"{url.TrimEnd('/')}/{segment}"] : [];

    private async Task<T> ReadAsync<T>(KeycloakFailure failure, string path, Func<string, T> parse, CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient(AdminApi.ClientName);
        using var response = await client.GetAsync(options.Value.Address(path), cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
            throw failure.NotFound(Asked, ServerError.Read(body));
        if (response.StatusCode != HttpStatusCode.OK)
            throw failure.Overloaded(Asked, response.StatusCode, null);
        try
        {
            return parse(Encoding.UTF8.GetString(body));
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            throw failure.Garbled(Asked);
        }
    }

    private sealed class RealmState
    {
        public SemaphoreSlim Gate { get; } = new(1);

        public PublishedKeys? Keys { get; set; }

        public DateTimeOffset AskedAt { get; set; }
    }
}

/// <param name="Issuers">What tokens of the realm may name as their issuer.</param>
/// <param name="Keys">Those for signatures.</param>
internal sealed record PublishedKeys(IReadOnlyList<string> Issuers, IReadOnlyList<JsonWebKey> Keys)
{
    public bool Holds(string? keyId) => Keys.Any(key => key.KeyId == keyId);
}
