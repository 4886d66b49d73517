using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>Starts logins, finds them again by cookie and tab, and redirects back to the application.</summary>
internal sealed class LoginSessions(RealmRegistry realms, TransactionFactory transactions, Uri server)
{
    private const string Cookie = "AUTH_SESSION_ID";

    public RealmState Realm(HttpContext context) =>
        realms.Find(context.Route("realm")) ?? throw RefusalException.NoSuchRealm;

    /// <summary>Starts a login for the client in the query, or refuses it with a page.</summary>
    public static LoginSession Start(HttpContext context, RealmState realm)
    {
        var query = context.Request.Query;
        if (!realm.Clients.TryGetValue(query["client_id"].ToString(), out var client))
            throw new PageException("Client not found.");
        if (query.Value("redirect_uri") is not { } redirect || !client.Allows(redirect))
            throw new PageException("Invalid parameter: redirect_uri");
        if (query.Value("response_type") is not "code")
            throw new PageException("Invalid parameter: response_type");
        if (client.Attributes["pkce.code.challenge.method"] is { } method
            && (query.Value("code_challenge_method") != (string?)method || query.Value("code_challenge") is null))
            throw new PageException("Missing parameter: code_challenge_method");
        var session = new LoginSession(
            client, new Uri(redirect), query.Value("state"), query.Value("nonce"), query.Value("code_challenge"));
        realm.Sessions[session.TabId] = session;
        context.Response.Headers.Append(
            "Set-Cookie", $"{Cookie}={session.SessionId};Version=1;Path=/realms/{realm.Name}/;Secure;HttpOnly;SameSite=None");
        return session;
    }

    /// <summary>The login that a form or a redirect belongs to; without its cookie it has ended.</summary>
    public static LoginSession Find(HttpContext context, RealmState realm, string? tab = null) =>
        realm.Sessions.TryGetValue(tab ?? context.Request.Query["tab_id"].ToString(), out var session)
            && context.Request.Cookies[Cookie] == session.SessionId
            ? session
            : throw new PageException("Cookie not found. Please make sure cookies are enabled in your browser.");

    /// <summary>An address of the realm that continues a login.</summary>
    public string Link(RealmState realm, LoginSession session, string path) =>
        $"{server}realms/{realm.Name}/{path}?client_id={Uri.EscapeDataString(session.Client.ClientId)}&tab_id={session.TabId}";

    /// <summary>Completes a login: raises LOGIN after the events before it, and redirects back with a code.</summary>
    public async Task<Answer> FinishAsync(
        HttpContext context, RealmState realm, LoginSession session, EmulatedUser user, Transaction transaction, Action change)
    {
        transaction.Raise("LOGIN", session.Client.ClientId, user.Id, LoginDetails(session, user), session.SessionId);
        await transaction.CommitAsync(change, context.RequestAborted);
        realm.Sessions.TryRemove(session.TabId, out _);
        var code = $"{Guid.NewGuid()}.{session.SessionId}.{session.Client.Uuid}";
        realm.AuthorizationCodes[code] = new IssuedCode(
            user.Id, session.Client.ClientId, session.RedirectUri.OriginalString, session.Nonce, session.Challenge, session.SessionId);
        var separator = session.RedirectUri.Query.Length > 0 ? '&' : '?';
        var state = session.State is { } given ? $"state={Uri.EscapeDataString(given)}&" : "";
        var issuer = Uri.EscapeDataString($"{server}realms/{realm.Name}");
        return Answer.Redirect(
            $"{session.RedirectUri.AbsoluteUri}{separator}{state}session_state={session.SessionId}&iss={issuer}&code={code}");
    }

    public Transaction Begin(HttpContext context, RealmState realm) => transactions.Begin(realm, context);

    private static Dictionary<string, string> LoginDetails(LoginSession session, EmulatedUser user)
    {
        var details = new Dictionary<string, string>
        {
            ["response_type"] = "code",
            ["consent"] = "no_consent_required",
            ["code_id"] = session.SessionId,
            ["username"] = user.Username,
            ["response_mode"] = "query",
        };
        if (session.Identity is { } identity)
        {
            details["identity_provider"] = identity.Alias;
            details["identity_provider_identity"] = identity.Username;
            details["identity_provider_broker_session_id"] = $"{identity.Alias}.{identity.SessionId}";
        }
        else
        {
            details["auth_method"] = "openid-connect";
            details["redirect_uri"] = session.RedirectUri.OriginalString;
        }

        return details;
    }
}
