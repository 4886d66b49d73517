using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Keycloak.Admin;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>A token as it was issued.</summary>
internal sealed record IssuedToken(string Token, TimeSpan Lifetime)
{
    /// <summary>A record would print the token.</summary>
    public override string ToString() => $"token for {Lifetime}";
}

/// <summary>Asks a realm for a token by client credentials.</summary>
internal sealed class TokenEndpoint(IHttpClientFactory clients, IOptions<KeycloakOptions> options, TimeProvider clock)
{
    private const string RequestName = "POST token";
    private const long MaxLifetimeSeconds = 86_400;

    /// <summary>A new token. It takes no cancellation, as its callers share it; it ends by the request timeout.</summary>
    /// <exception cref="KeycloakException">Keycloak gave none.</exception>
    public async Task<IssuedToken> RequestAsync(string realm)
    {
        var failure = new KeycloakErrors(realm, options.Value);
        using var timeout = new CancellationTokenSource(options.Value.RequestTimeout, clock);
        try
        {
            return await SendAsync(realm, failure, timeout.Token);
        }
        catch (OperationCanceledException exception)
        {
            throw failure.TooSlow(RequestName, exception);
        }
        catch (HttpRequestException exception)
        {
            throw failure.Unreachable(exception);
        }
    }

    private async Task<IssuedToken> SendAsync(string realm, KeycloakErrors failure, CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient(AdminTransport.ClientName);
        using var form = new FormUrlEncodedContent(
        [
            new("grant_type", "client_credentials"),
            new("client_id", options.Value.ClientIdOf(realm)),
            new("client_secret", options.Value.ClientSecretOf(realm)),
        ]);
        var address = options.Value.Address($"realms/{Uri.EscapeDataString(realm)}/protocol/openid-connect/token");
        using var response = await client.PostAsync(address, form, cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return response.StatusCode == HttpStatusCode.OK
            ? Read(body) ?? throw failure.Garbled(RequestName)
            : throw Failure(failure, response, ServerError.Read(body));
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

    private KeycloakException Failure(KeycloakErrors failure, HttpResponseMessage response, ServerError error) =>
        response.StatusCode switch
        {
            var status when KeycloakErrors.IsTransient(status) =>
                failure.Overloaded(RequestName, status, response.Headers.RetryAfter.DelayFrom(clock.GetUtcNow())),
            HttpStatusCode.NotFound => failure.NotFound(RequestName, error),
            HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden when error.Code is not null =>
                failure.ClientRefused(error),
            var status => failure.Unexpected(RequestName, status, error),
        };
}

/// <summary>The token endpoint's answer.</summary>
internal sealed record TokenResponse(
    [property: JsonPropertyName("access_token")] string? AccessToken = null,
    [property: JsonPropertyName("expires_in")] long ExpiresIn = 0);

[JsonSerializable(typeof(TokenResponse))]
internal sealed partial class TokenJson : JsonSerializerContext;
