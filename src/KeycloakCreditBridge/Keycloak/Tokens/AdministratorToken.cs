using System.Net;
using System.Text.Json;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>The administrator's token, which lives for a minute or so and is asked for again when Keycloak refuses it.</summary>
internal sealed class AdministratorToken(IHttpClientFactory clients, KeycloakOptions options, Administrator administrator)
{
    private string? _token;

    /// <param name="renew">Whether the last one was refused.</param>
    /// <exception cref="ConfigurationException">Keycloak does not let the administrator in.</exception>
    public async Task<string> GetAsync(bool renew, CancellationToken cancellationToken)
    {
        if (_token is { } known && !renew)
            return known;
        return _token = await RequestAsync(cancellationToken);
    }

    private async Task<string> RequestAsync(CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient(AdminTransport.ClientName);
        using var form = new FormUrlEncodedContent(administrator.TokenForm);
        var address = options.Address($"realms/{Uri.EscapeDataString(administrator.Realm)}/protocol/openid-connect/token");
        using var answer = await client.PostAsync(address, form, cancellationToken);
        var body = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
        if (answer.StatusCode == HttpStatusCode.OK && TokenIn(body) is { } token)
            return token;
        var error = ServerError.Read(body);
        throw new ConfigurationException([Problem(answer.StatusCode, error.Code, error.Describe(administrator.Secret))]);
    }

    private string Problem(HttpStatusCode status, string? code, string words) => status switch
    {
        HttpStatusCode.NotFound when code is not null =>
            $"Keycloak has no realm '{administrator.Realm}' for an administrator to sign in to: correct --admin-realm.",
        HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized when code is not null =>
            $"Keycloak refused the {administrator} ({words}): check {(administrator.IsClient ? "--admin-client and its secret" : "--admin-user and the password")}, "
            + "and --admin-realm.",
        _ => $"Keycloak answered {(int)status} when the {administrator} signed in ({words}): check that {KeycloakOptions.Section}:Url leads to "
            + "Keycloak itself, and look at its log.",
    };

    private static string? TokenIn(byte[] body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, TokenJson.Default.TokenResponse)?.AccessToken;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
