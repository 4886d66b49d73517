using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Keycloak.ClientKeys;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>A token as it was issued.</summary>
internal sealed record IssuedToken(string Token, TimeSpan Lifetime)
{
    /// <summary>A record would print the token.</summary>
    public override string ToString() => $"token for {Lifetime}";
}

/// <summary>Asks realms for tokens.</summary>
internal sealed class TokenEndpoint(
    IHttpClientFactory clients, ClientProof proof, PossessionProofs possession, IOptions<KeycloakOptions> options, TimeProvider clock)
{
    private const string RequestName = "POST token";
    private const long MaxLifetimeSeconds = 86_400;

    // Realms that demand proofs of possession: the first refusal says so.
    private readonly ConcurrentDictionary<string, bool> _bound = new(StringComparer.Ordinal);

    /// <summary>Keycloak's address.</summary>
    public string Url => options.Value.Url;

    /// <summary>
    /// A new token for the bridge's client. It takes no cancellation, as its callers share it; it ends by the request timeout.
    /// </summary>
    /// <exception cref="KeycloakException">Keycloak gave none.</exception>
    public Task<IssuedToken> RequestAsync(string realm)
    {
        var errors = new KeycloakErrors(realm, options.Value);
        return LimitAsync(errors, async token =>
        {
            var isBound = _bound.ContainsKey(realm);
            try
            {
                return await AskAsync(realm, errors, isBound, token);
            }
            catch (KeycloakAuthenticationException refusal) when (refusal.NeedsPossession && !isBound)
            {
                _bound[realm] = true;
                return await AskAsync(realm, errors, isBound: true, token);
            }
        }, CancellationToken.None);
    }

    /// <summary>A new token for what the form says.</summary>
    /// <param name="realm">The realm that gives the token.</param>
    /// <param name="form">Names the account and proves it.</param>
    /// <param name="refusal">The error for an answer that is no token, where asking again does not help.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public Task<IssuedToken> RequestAsync(
        string realm,
        IEnumerable<KeyValuePair<string, string>> form,
        Func<HttpStatusCode, ServerError, Exception> refusal,
        CancellationToken cancellationToken)
    {
        var errors = new KeycloakErrors(realm, options.Value);
        return LimitAsync(errors, token => SendAsync(realm, form, errors, refusal, isBound: false, token), cancellationToken);
    }

    private async Task<IssuedToken> AskAsync(string realm, KeycloakErrors errors, bool isBound, CancellationToken cancellationToken)
    {
        IEnumerable<KeyValuePair<string, string>> form =
        [
            new("grant_type", "client_credentials"),
            new("client_id", options.Value.ClientIdOf(realm)),
            .. await proof.FieldsAsync(realm, cancellationToken),
        ];
        return await SendAsync(
            realm, form, errors, (status, error) => Refusal(errors, RequestName, status, error), isBound, cancellationToken);
    }

    private async Task<IssuedToken> LimitAsync(
        KeycloakErrors errors, Func<CancellationToken, Task<IssuedToken>> ask, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(options.Value.RequestTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await ask(either.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw errors.TooSlow(RequestName, exception);
        }
        catch (HttpRequestException exception)
        {
            throw errors.Unreachable(exception);
        }
    }

    private async Task<IssuedToken> SendAsync(
        string realm,
        IEnumerable<KeyValuePair<string, string>> fields,
        KeycloakErrors errors,
        Func<HttpStatusCode, ServerError, Exception> refusal,
        bool isBound,
        CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient(KeycloakOptions.HttpClientName);
        var address = options.Value.Address($"realms/{Uri.EscapeDataString(realm)}/protocol/openid-connect/token");
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new FormUrlEncodedContent(fields) };
        if (isBound)
            request.Headers.Add(PossessionProofs.Header, possession.For(HttpMethod.Post, address));
        using var response = await client.SendAsync(request, cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        if (response.StatusCode == HttpStatusCode.OK)
            return Read(body) ?? throw errors.Garbled(RequestName);
        throw KeycloakErrors.IsTransient(response.StatusCode)
            ? errors.Overloaded(RequestName, response.StatusCode, response.Headers.RetryAfter.DelayFrom(clock.GetUtcNow()))
            : refusal(response.StatusCode, ServerError.Read(body));
    }

    private static IssuedToken? Read(byte[] body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, TokenJson.Default.TokenResponse) is { AccessToken.Length: > 0, ExpiresIn: > 0 } answer
                ? new IssuedToken(answer.AccessToken, TimeSpan.FromSeconds(Math.Min(answer.ExpiresIn, MaxLifetimeSeconds)))
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The error for an answer to the bridge's own client that asking again does not change.</summary>
    public static KeycloakException Refusal(KeycloakErrors errors, string asked, HttpStatusCode status, ServerError error) => status switch
    {
        HttpStatusCode.NotFound => errors.NotFound(asked, error),
        HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden when error.Code is not null =>
            errors.ClientRefused(error),
        _ => errors.Unexpected(asked, status, error),
    };
}

/// <summary>The token endpoint's answer.</summary>
internal sealed record TokenResponse(
    [property: JsonPropertyName("access_token")] string? AccessToken = null,
    [property: JsonPropertyName("expires_in")] long ExpiresIn = 0);

[JsonSerializable(typeof(TokenResponse))]
internal sealed partial class TokenJson : JsonSerializerContext;
