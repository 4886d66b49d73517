using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>Ends logins, by their users or by an administrator, and tells the clients that want to know (back-channel logout).</summary>
internal sealed class LogoutPages(LoginSessions sessions, AdminAccess access, AccessTokens tokens) : IDisposable
{
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(5) };

    public void Map(Routes routes)
    {
        routes.Map("GET", "/realms/{realm}/protocol/openid-connect/logout", EndAsync);
        routes.Map("POST", "/admin/realms/{realm}/users/{id}/logout", EndByAdministratorAsync);
    }

    public void Dispose() => _http.Dispose();

    private async Task<Answer> EndAsync(HttpContext context)
    {
        var (realm, query) = (sessions.Realm(context), context.Request.Query);
        if (AccessTokens.ReadSession(realm, query.Value("id_token_hint") ?? "") is not { } session)
            throw new PageException("Missing parameters: id_token_hint");
        await EndAsync(realm, login => login.SessionId == session);
        return query.Value("post_logout_redirect_uri") is { } address
            && realm.Clients.GetValueOrDefault(query["client_id"].ToString()) is { } client && client.AllowsAfterLogout(address)
            ? Answer.Redirect(address)
            : throw new PageException("Invalid redirect uri");
    }

    private async Task<Answer> EndByAdministratorAsync(HttpContext context)
    {
        var (realm, _) = access.Require(context, "manage-users");
        var user = realm.User(context.Route("id"));
        await EndAsync(realm, login => login.UserId == user.Id);
        return Answer.NoContent;
    }

    private async Task EndAsync(RealmState realm, Func<IssuedCode, bool> chosen)
    {
        var ended = realm.RefreshTokens.Where(token => chosen(token.Value)).ToList();
        foreach (var (token, _) in ended)
            realm.RefreshTokens.TryRemove(token, out _);
        foreach (var login in ended.Select(token => token.Value).DistinctBy(login => (login.SessionId, login.ClientId)))
        {
            if ((string?)realm.Clients[login.ClientId].Attributes["backchannel.logout.url"] is not { Length: > 0 } url)
                continue;
            using var form = new FormUrlEncodedContent([new("logout_token", tokens.IssueLogout(realm, login))]);
            using var answer = await _http.PostAsync(new Uri(url), form);
        }
    }
}
