using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>The token endpoint for users who sign in to the bridge: their codes and refresh tokens are redeemed here.</summary>
internal sealed class LoginTokens(IHttpClientFactory clients, IOptions<KeycloakOptions> options, TimeProvider clock)
{
    private const string RequestName = "POST token";

    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(5);

    /// <summary>The tokens, or Keycloak's refusal.</summary>
    /// <param name="realm">The realm that users sign in to.</param>
    /// <param name="form">The grant, and the client with its secret.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="KeycloakException">Keycloak did not decide: asking again may help.</exception>
    public async Task<LoginAnswer> RedeemAsync(
        string realm, IEnumerable<KeyValuePair<string, string>> form, CancellationToken cancellationToken)
    {
        var errors = new KeycloakErrors(realm, options.Value);
        using var timeout = new CancellationTokenSource(MaxTime, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using var client = clients.CreateClient(KeycloakOptions.HttpClientName);
            using var content = new FormUrlEncodedContent(form);
            var address = options.Value.Address($"realms/{Uri.EscapeDataString(realm)}/protocol/openid-connect/token");
            using var response = await client.PostAsync(address, content, either.Token);
            var body = await response.Content.ReadAsByteArrayAsync(either.Token);
            if (response.StatusCode == HttpStatusCode.OK)
                return new LoginAnswer(Read(body) ?? throw errors.Garbled(RequestName), null);
            if (KeycloakErrors.IsTransient(response.StatusCode))
                throw errors.Overloaded(RequestName, response.StatusCode, null);
            var error = ServerError.Read(body);
            return error.Code is null ? throw errors.Unexpected(RequestName, response.StatusCode, error) : new LoginAnswer(null, error);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw errors.TooSlow(RequestName, MaxTime, exception);
        }
        catch (HttpRequestException exception)
        {
            throw errors.Unreachable(exception);
        }
    }

    private static LoginTokenSet? Read(byte[] body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, LoginJson.Default.LoginTokenSet) is { AccessToken.Length: > 0 } tokens ? tokens : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <param name="Tokens">Null when Keycloak refused.</param>
/// <param name="Refusal">Null when Keycloak gave tokens.</param>
internal sealed record LoginAnswer(LoginTokenSet? Tokens, ServerError? Refusal);

/// <summary>What a user who signed in is given.</summary>
internal sealed record LoginTokenSet(
    [property: JsonPropertyName("access_token")] string AccessToken,
    [property: JsonPropertyName("refresh_token")] string? RefreshToken = null,
    [property: JsonPropertyName("id_token")] string? IdToken = null)
{
    /// <summary>A record would print the tokens.</summary>
    public override string ToString() => "tokens of a login";
}

[JsonSerializable(typeof(LoginTokenSet))]
internal sealed partial class LoginJson : JsonSerializerContext;
