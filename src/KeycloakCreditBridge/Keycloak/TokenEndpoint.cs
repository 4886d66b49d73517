using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>A token as it was issued.</summary>
internal sealed record IssuedToken(string Token, TimeSpan Lifetime)
{
    /// <summary>A record would print the token.</summary>
    public override string ToString() => $"token for {Lifetime}";
}

/// <summary>Asks a realm for a token by client credentials.</summary>
internal sealed class TokenEndpoint(IHttpClientFactory clients, IOptions<KeycloakOptions> options, TimeProvider clock)
{
    private const string Asked = "POST token";
    private const long LongestLifetime = 86_400;

    /// <summary>A new token. It takes no cancellation, as its callers share it; it ends by the request timeout.</summary>
    /// <exception cref="KeycloakException">Keycloak gave none.</exception>
    public async Task<IssuedToken> RequestAsync(string realm)
    {
        var failure = new KeycloakFailure(realm, options.Value);
        using var timeout = new CancellationTokenSource(options.Value.RequestTimeout, clock);
        try
        {
            return await SendAsync(realm, failure, timeout.Token);
        }
        catch (OperationCanceledException exception)
        {
            throw failure.TooSlow(Asked, exception);
        }
        catch (HttpRequestException exception)
        {
            throw failure.Unreachable(exception);
        }
    }

    private async Task<IssuedToken> SendAsync(string realm, KeycloakFailure failure, CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient(AdminApi.ClientName);
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
            ? Read(body) ?? throw failure.Garbled(Asked)
            : throw Failure(failure, response, ServerError.Read(body));
    }

    private static IssuedToken? Read(byte[] body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, TokenJson.Default.TokenAnswer) is { AccessToken.Length: > 0, ExpiresIn: > 0 } answer
                ? new IssuedToken(answer.AccessToken, TimeSpan.FromSeconds(Math.Min(answer.ExpiresIn, LongestLifetime)))
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private KeycloakException Failure(KeycloakFailure failure, HttpResponseMessage response, ServerError error) =>
        response.StatusCode switch
        {
            var status when KeycloakFailure.IsTransient(status) =>
                failure.Overloaded(Asked, status, response.Headers.RetryAfter.WaitFrom(clock.GetUtcNow())),
            HttpStatusCode.NotFound => failure.NotFound(Asked, error),
            HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden when error.Code is not null =>
                failure.ClientRefused(error),
            var status => failure.Unexpected(Asked, status, error),
        };
}

/// <summary>The token endpoint's answer.</summary>
internal sealed record TokenAnswer(
    [property: JsonPropertyName("access_token")] string? AccessToken = null,
    [property: JsonPropertyName("expires_in")] long ExpiresIn = 0);

[JsonSerializable(typeof(TokenAnswer))]
internal sealed partial class TokenJson : JsonSerializerContext;
