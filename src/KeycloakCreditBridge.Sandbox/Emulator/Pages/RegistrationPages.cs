using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>The registration form.</summary>
internal sealed class RegistrationPages(LoginSessions sessions, EmulatorClock clock)
{
    private const string Action = "login-actions/registration";

    public void Map(Routes routes)
    {
        routes.Map("GET", "/realms/{realm}/protocol/openid-connect/registrations", Show);
        routes.Map("POST", $"/realms/{{realm}}/{Action}", RegisterAsync);
    }

    private Answer Show(HttpContext context)
    {
        var realm = sessions.Realm(context);
        if (!realm.AllowsRegistration)
            throw new PageException("Registration not allowed");
        return Form(realm, LoginSessions.Start(context, realm), FormCollection.Empty, new Dictionary<string, string>());
    }

    private async Task<Answer> RegisterAsync(HttpContext context)
    {
        var realm = sessions.Realm(context);
        var session = LoginSessions.Find(context, realm);
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var errors = ProfileRules.Check(realm, form, "username", "email", "firstName", "lastName", "password");
        if (form["password"].ToString() != form["password-confirm"].ToString())
            errors["password-confirm"] = "Password confirmation doesn't match.";
        var transaction = sessions.Begin(context, realm);
        var details = Details(session, form);
        if (errors.Count > 0)
        {
            transaction.Raise("REGISTER_ERROR", session.Client.ClientId, null, details, error: Reason(errors));
            await transaction.CommitAsync(context.RequestAborted);
            return Form(realm, session, form, errors);
        }

        var user = new EmulatedUser(EmulatedUser.NewId(), details["username"])
        {
            Email = details["email"],
            FirstName = details["first_name"],
            LastName = details["last_name"],
            Password = form["password"],
            CreatedTimestamp = clock.Milliseconds,
        };
        transaction.Raise("REGISTER", session.Client.ClientId, user.Id, details);
        return await sessions.FinishAsync(context, realm, session, user, transaction, () => realm.Users.Add(user));
    }

    private Answer Form(RealmState realm, LoginSession session, IFormCollection form, Dictionary<string, string> errors) =>
        PageHtml.Form(new PageForm("Register", "kc-register-form", sessions.Link(realm, session, Action),
        [
            new PageField("username", Value: form["username"]),
            new PageField("password", "password"),
            new PageField("password-confirm", "password"),
            new PageField("email", Value: form["email"]),
            new PageField("firstName", Value: form["firstName"]),
            new PageField("lastName", Value: form["lastName"]),
        ], errors));

    private static Dictionary<string, string> Details(LoginSession session, IFormCollection form) => new()
    {
        ["auth_method"] = "openid-connect",
        ["register_method"] = "form",
        ["last_name"] = form["lastName"].ToString().Trim(),
        ["redirect_uri"] = session.RedirectUri.OriginalString,
        ["first_name"] = form["firstName"].ToString().Trim(),
        ["code_id"] = session.SessionId,
        ["email"] = form["email"].ToString().Trim().ToLowerInvariant(),
        ["username"] = form["username"].ToString().Trim().ToLowerInvariant(),
    };

    private static string Reason(Dictionary<string, string> errors) => errors switch
    {
        { Count: 1 } when errors.GetValueOrDefault("email") is "Email already exists." => "email_in_use",
        { Count: 1 } when errors.GetValueOrDefault("username") is "Username already exists." => "username_in_use",
        _ => "invalid_registration",
    };
}
