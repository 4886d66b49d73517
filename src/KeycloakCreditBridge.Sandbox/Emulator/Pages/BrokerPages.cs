using System.Collections.Immutable;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>
/// Logging in with another realm of this server. The user row is created one request before the registration event, so a
/// browser that is closed in between leaves a user without a REGISTER event.
/// </summary>
internal sealed class BrokerPages(LoginSessions sessions, RealmRegistry realms, EmulatorClock clock, Uri server)
{
    private const string FirstLogin = "login-actions/first-broker-login";
    private const string AfterFirstLogin = "broker/after-first-broker-login";

    public void Map(Routes routes)
    {
        routes.Map("GET", "/realms/{realm}/broker/{alias}/login", Leave);
        routes.Map("GET", "/realms/{realm}/broker/{alias}/endpoint", ReturnAsync);
        routes.Map("GET", $"/realms/{{realm}}/{FirstLogin}", ReviewAsync);
        routes.Map("POST", $"/realms/{{realm}}/{FirstLogin}", ReviewedAsync);
        routes.Map("GET", $"/realms/{{realm}}/{AfterFirstLogin}", RegisteredAsync);
    }

    private Answer Leave(HttpContext context)
    {
        var realm = sessions.Realm(context);
        var (session, provider) = (LoginSessions.Find(context, realm), Provider(context, realm));
        return Answer.Redirect(
            $"{provider.AuthorizationUrl}?scope=openid+profile+email&state={LoginSession.NewSessionId()}.{session.TabId}"
            + $"&response_type=code&client_id={Uri.EscapeDataString(provider.ClientId)}"
            + $"&redirect_uri={Uri.EscapeDataString($"{server}realms/{realm.Name}/broker/{provider.Alias}/endpoint")}",
            StatusCodes.Status303SeeOther);
    }

    private async Task<Answer> ReturnAsync(HttpContext context)
    {
        var realm = sessions.Realm(context);
        var provider = Provider(context, realm);
        var session = LoginSessions.Find(context, realm, context.Request.Query["state"].ToString().Split('.')[^1]);
        var identity = await RedeemAsync(context, provider);
        session.Identity = identity;
        EmulatedUser? known;
        lock (realm.Gate)
            known = realm.Users.Users.FirstOrDefault(user => user.Identities.GetValueOrDefault(identity.Alias) == identity.UserId);
        if (known is null)
            return Answer.Redirect(sessions.Link(realm, session, FirstLogin));
        return await sessions.FinishAsync(context, realm, session, known, sessions.Begin(context, realm), () =>
        {
            if (provider.ForcesSync)
                realm.Users.Replace(known with { Email = identity.Email, FirstName = identity.FirstName, LastName = identity.LastName });
        });
    }

    /// <summary>Exchanges the code for its user; the provider's realm stores an event of its own.</summary>
    private async Task<BrokeredIdentity> RedeemAsync(HttpContext context, IdentityProvider provider)
    {
        var code = context.Request.Query["code"].ToString();
        if (realms.Find(provider.RealmName) is not { } other || !other.AuthorizationCodes.TryRemove(code, out var issued))
            throw new PageException("Unexpected error when authenticating with identity provider");
        var user = other.User(issued.UserId);
        var transaction = sessions.Begin(context, other);
        transaction.Raise("CODE_TO_TOKEN", provider.ClientId, issued.UserId, new Dictionary<string, string>
        {
            ["grant_type"] = "authorization_code", ["code_id"] = code.Split('.')[1], ["username"] = user.Username,
        }, code.Split('.')[1]);
        await transaction.CommitAsync(context.RequestAborted);
        return new BrokeredIdentity(
            provider.Alias, issued.UserId, user.Username, user.Email, user.FirstName, user.LastName, code.Split('.')[1]);
    }

    private async Task<Answer> ReviewAsync(HttpContext context)
    {
        var realm = sessions.Realm(context);
        var session = LoginSessions.Find(context, realm);
        var identity = Identity(session);
        return identity.Email is null
            ? Review(realm, session, FormCollection.Empty, new Dictionary<string, string>())
            : await CreateAsync(context, realm, session, identity, sessions.Begin(context, realm));
    }

    private async Task<Answer> ReviewedAsync(HttpContext context)
    {
        var realm = sessions.Realm(context);
        var session = LoginSessions.Find(context, realm);
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var errors = ProfileRules.Check(realm, form, "email", "firstName", "lastName");
        if (errors.Count > 0)
            return Review(realm, session, form, errors);
        session.Identity = Identity(session) with
        {
            Email = form["email"].ToString().Trim().ToLowerInvariant(), FirstName = form["firstName"], LastName = form["lastName"],
        };
        var transaction = sessions.Begin(context, realm);
        transaction.Raise("UPDATE_PROFILE", session.Client.ClientId, null, new Dictionary<string, string>
        {
            ["context"] = "IDP_REVIEW", ["updated_email"] = session.Identity.Email!, ["code_id"] = session.SessionId,
        });
        return await CreateAsync(context, realm, session, session.Identity, transaction);
    }

    private async Task<Answer> CreateAsync(
        HttpContext context, RealmState realm, LoginSession session, BrokeredIdentity identity, Transaction transaction)
    {
        var trustsEmail = realm.IdentityProviders[identity.Alias].TrustsEmail;
        var user = new EmulatedUser(EmulatedUser.NewId(), identity.Username)
        {
            Email = identity.Email,
            FirstName = identity.FirstName,
            LastName = identity.LastName,
            EmailVerified = trustsEmail,
            CreatedTimestamp = clock.Milliseconds,
            Identities = ImmutableDictionary<string, string>.Empty.Add(identity.Alias, identity.UserId),
        };
        var details = Details(session, identity);
        details["auth_method"] = "openid-connect";
        details["redirect_uri"] = session.RedirectUri.OriginalString;
        details["identity_provider_broker_session_id"] = $"{identity.Alias}.{identity.SessionId}";
        transaction.Raise("IDENTITY_PROVIDER_FIRST_LOGIN", session.Client.ClientId, null, details);
        await transaction.CommitAsync(() => realm.Users.Add(user), context.RequestAborted);
        session.NewUser = user;
        return Answer.Redirect(sessions.Link(realm, session, AfterFirstLogin));
    }

    private async Task<Answer> RegisteredAsync(HttpContext context)
    {
        var realm = sessions.Realm(context);
        var session = LoginSessions.Find(context, realm);
        var user = session.NewUser ?? throw new PageException("Page has expired");
        var transaction = sessions.Begin(context, realm);
        var details = Details(session, Identity(session));
        details["register_method"] = "broker";
        details["username"] = user.Username;
        if (user.Email is not null)
            details["email"] = user.Email;
        transaction.Raise("REGISTER", session.Client.ClientId, user.Id, details);
        return await sessions.FinishAsync(context, realm, session, user, transaction, () => { });
    }

    private Answer Review(RealmState realm, LoginSession session, IFormCollection form, Dictionary<string, string> errors) =>
        PageHtml.Form(new PageForm("Update Account Information", "kc-idp-review-profile-form", sessions.Link(realm, session, FirstLogin),
        [
            new PageField("email", Value: form["email"]),
            new PageField("firstName", Value: form.ContainsKey("firstName") ? form["firstName"] : session.Identity?.FirstName),
            new PageField("lastName", Value: form.ContainsKey("lastName") ? form["lastName"] : session.Identity?.LastName),
        ], errors));

    private static IdentityProvider Provider(HttpContext context, RealmState realm) =>
        realm.IdentityProviders.GetValueOrDefault(context.Route("alias")) ?? throw new PageException("Identity provider not found");

    private static BrokeredIdentity Identity(LoginSession session) => session.Identity ?? throw new PageException("Page has expired");

    private static Dictionary<string, string> Details(LoginSession session, BrokeredIdentity identity) => new()
    {
        ["identity_provider"] = identity.Alias, ["identity_provider_identity"] = identity.Username, ["code_id"] = session.SessionId,
    };
}
