using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>The login form, with a link to each identity provider.</summary>
internal sealed class LoginPages(LoginSessions sessions, Lockouts lockouts)
{
    private const string Action = "login-actions/authenticate";

    public void Map(Routes routes)
    {
        routes.Map("GET", "/realms/{realm}/protocol/openid-connect/auth", Show);
        routes.Map("POST", $"/realms/{{realm}}/{Action}", AuthenticateAsync);
    }

    private Answer Show(HttpContext context)
    {
        var realm = sessions.Realm(context);
        var session = LoginSessions.Start(context, realm);
        return context.Request.Query.Value("kc_idp_hint") is { } alias && realm.IdentityProviders.ContainsKey(alias)
            ? Answer.Redirect(sessions.Link(realm, session, $"broker/{alias}/login"), StatusCodes.Status303SeeOther)
            : Form(realm, session, null, new Dictionary<string, string>());
    }

    private async Task<Answer> AuthenticateAsync(HttpContext context)
    {
        var realm = sessions.Realm(context);
        var session = LoginSessions.Find(context, realm);
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var username = form["username"].ToString().Trim();
        EmulatedUser? user;
        lock (realm.Gate)
            user = realm.Users.ByUsername(username) ?? realm.Users.ByEmail(username);
        var transaction = sessions.Begin(context, realm);
        if (lockouts.Admits(realm, user, form["password"].ToString(), out var error))
            return await sessions.FinishAsync(context, realm, session, user!, transaction, () => { });
        transaction.Raise("LOGIN_ERROR", session.Client.ClientId, user?.Id, new Dictionary<string, string>
        {
            ["auth_method"] = "openid-connect",
            ["auth_type"] = "code",
            ["redirect_uri"] = session.RedirectUri.OriginalString,
            ["code_id"] = session.SessionId,
            ["username"] = username,
        }, error: error);
        await transaction.CommitAsync(context.RequestAborted);
        return Form(realm, session, username, new Dictionary<string, string> { ["username"] = "Invalid username or password." });
    }

    private Answer Form(RealmState realm, LoginSession session, string? username, Dictionary<string, string> errors) => PageHtml.Form(
        new PageForm("Sign in to your account", "kc-form-login", sessions.Link(realm, session, Action),
            [new PageField("username", Value: username), new PageField("password", "password")], errors),
        realm.IdentityProviders.Keys.Order(StringComparer.Ordinal)
            .Select(alias => KeyValuePair.Create(alias, sessions.Link(realm, session, $"broker/{alias}/login"))));
}
