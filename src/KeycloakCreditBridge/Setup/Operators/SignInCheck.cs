using System.Net;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Setup.Operators;

/// <summary>Whether operators can sign in to the page. No administrator is needed: Keycloak's refusals tell.</summary>
internal sealed class SignInCheck(
    IHttpClientFactory clients, LoginTokens tokens, IOptions<PageOptions> page, IOptions<KeycloakOptions> keycloak)
{
    private const string Cure = "run `setup keycloak` with the settings of the page";

    private string Realm => page.Value.RealmOf(keycloak.Value);

    /// <summary>Whether Keycloak knows the page's client by its secret: a code that is none is then all that is wrong.</summary>
    public async Task<SignInFinding> ClientAsync(CancellationToken cancellationToken)
    {
        var answer = await tokens.RedeemAsync(
            Realm,
            [
                new("grant_type", "authorization_code"), new("code", "none"), new("code_verifier", new string('0', 43)),
                new("redirect_uri", page.Value.AddressOf(PagePaths.SignedIn)), new("client_id", page.Value.ClientId),
                new("client_secret", page.Value.ClientSecret),
            ],
            cancellationToken);
        return answer.Refusal?.Code == "invalid_grant"
            ? SignInFinding.Right($"Keycloak accepts the client {page.Value.ClientId} and its secret")
            : SignInFinding.Wrong(
                $"Keycloak refuses the client {page.Value.ClientId} ({answer.Refusal?.Describe(page.Value.ClientSecret)}): "
                + "no operator can sign in",
                Cure);
    }

    /// <summary>Whether Keycloak sends operators back to the page.</summary>
    public async Task<SignInFinding> RedirectAsync(CancellationToken cancellationToken)
    {
        var address = page.Value.AddressOf(PagePaths.SignedIn);
        var asked = QueryHelpers.AddQueryString(
            keycloak.Value.Address($"realms/{Uri.EscapeDataString(Realm)}/protocol/openid-connect/auth").AbsoluteUri,
            new Dictionary<string, string?>
            {
                ["client_id"] = page.Value.ClientId,
                ["redirect_uri"] = address,
                ["response_type"] = "code",
                ["scope"] = "openid",
                ["code_challenge"] = new string('0', 43),
                ["code_challenge_method"] = "S256",
            });
        using var client = clients.CreateClient(KeycloakOptions.HttpClientName);
        using var answer = await client.GetAsync(new Uri(asked), cancellationToken);
        return answer.StatusCode switch
        {
            HttpStatusCode.OK or HttpStatusCode.Redirect or HttpStatusCode.SeeOther =>
                SignInFinding.Right($"Keycloak sends operators back to {address}"),
            HttpStatusCode.BadRequest => SignInFinding.Wrong(
                $"Keycloak does not send operators to {address}: the client {page.Value.ClientId} is not there, "
                + "or has another redirect URI",
                Cure),
            _ => SignInFinding.Wrong($"Keycloak answered {(int)answer.StatusCode} where operators sign in", "look into Keycloak's log"),
        };
    }
}

/// <param name="Says">The state that was found.</param>
/// <param name="Cure">What to do about it; null where all is right.</param>
internal sealed record SignInFinding(string Says, string? Cure)
{
    public static SignInFinding Right(string says) => new(says, null);

    public static SignInFinding Wrong(string says, string cure) => new(says, cure);
}
