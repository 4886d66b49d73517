using System.Net;
using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>The administrator's token. It lives for a minute or so and is replaced when Keycloak refuses it.</summary>
internal sealed class AdministratorToken(TokenEndpoint endpoint, Administrator administrator) : IAdminAccount
{
    private string? _token;

    /// <exception cref="ConfigurationException">Keycloak does not let the administrator in.</exception>
    /// <exception cref="KeycloakException">Keycloak did not answer.</exception>
    public async Task<string> GetAsync(string realm, CancellationToken cancellationToken) =>
        _token ??= (await endpoint.RequestAsync(administrator.Realm, administrator.TokenForm, Refusal, cancellationToken)).Token;

    public void Invalidate(string realm, string token) => Interlocked.CompareExchange(ref _token, null, token);

    public Exception TokenRefused(string realm) => new ConfigurationException([
        $"Realm '{realm}' refused the administrator's token: check --admin-realm and {KeycloakOptions.Section}:Url."]);

    public Exception Forbidden(string realm, string request, string role) => new ConfigurationException([
        $"Realm '{realm}' refused {request} to the administrator: it takes the role {role} of the client realm-management, "
        + "or an administrator of the realm master with --admin-realm master."]);

    private ConfigurationException Refusal(HttpStatusCode status, ServerError error)
    {
        var text = error.Describe(administrator.Secret);
        var credentials = administrator.IsClient ? "--admin-client and its secret" : "--admin-user and the password";
        return new ConfigurationException([KeycloakErrors.RealmObstacle(administrator.Realm, endpoint.Url, error) ?? status switch
        {
            HttpStatusCode.NotFound when error.Code is not null =>
                $"Keycloak has no realm '{administrator.Realm}' for an administrator to sign in to: correct --admin-realm.",
            HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized when error.Code is not null =>
                $"Keycloak refused the {administrator} ({text}): check {credentials}, and --admin-realm.",
            _ => $"Keycloak answered {(int)status} when the {administrator} signed in ({text}): check that "
                + $"{KeycloakOptions.Section}:Url leads to Keycloak itself, and check its log.",
        }]);
    }
}
