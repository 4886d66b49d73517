using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Pages;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;

namespace KeycloakCreditBridge.Sandbox.Emulator.Tokens;

/// <summary>Gives applications tokens for the codes of logins, and new ones for their refresh tokens.</summary>
internal sealed class LoginGrants(AccessTokens tokens)
{
    public Answer RedeemCode(RealmState realm, string clientId, string? secret, IFormCollection form)
    {
        var client = Client(realm, clientId, secret);
        if (!realm.AuthorizationCodes.TryRemove(form["code"].ToString(), out var login) || login.ClientId != clientId)
            throw Refused("Code not valid");
        if (form["redirect_uri"] != login.RedirectUri)
            throw Refused("Incorrect redirect_uri");
        if (login.Challenge is { } challenge && !Meets(form["code_verifier"].ToString(), challenge))
            throw Refused("PKCE verification failed: Code mismatch");
        return Tokens(realm, client, login);
    }

    public Answer Refresh(RealmState realm, string clientId, string? secret, IFormCollection form)
    {
        var client = Client(realm, clientId, secret);
        return realm.RefreshTokens.TryRemove(form["refresh_token"].ToString(), out var login) && login.ClientId == clientId
            ? Tokens(realm, client, login)
            : throw Refused("Session not active");
    }

    private static EmulatedClient Client(RealmState realm, string clientId, string? secret) =>
        realm.Clients.GetValueOrDefault(clientId) is { Enabled: true } client && (client.IsPublic || client.Secret == secret)
            ? client
            : throw RefusalException.Error(
                StatusCodes.Status401Unauthorized, "unauthorized_client", "Invalid client or Invalid client credentials");

    private Answer Tokens(RealmState realm, EmulatedClient client, IssuedCode login)
    {
        lock (realm.Gate)
        {
            if (realm.Users.ById(login.UserId) is not { Enabled: true })
                throw Refused("User disabled");
        }

        var user = realm.User(login.UserId);
        var refresh = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(24));
        realm.RefreshTokens[refresh] = login;
        return Answer.Json(new JsonObject
        {
            ["access_token"] = tokens.Issue(realm, user, client, sessionId: login.SessionId),
            ["expires_in"] = (int)tokens.Lifetime.TotalSeconds,
            ["refresh_expires_in"] = 1800,
            ["refresh_token"] = refresh,
            ["token_type"] = "Bearer",
            ["id_token"] = tokens.IssueId(realm, user, login),
            ["session_state"] = login.SessionId,
            ["scope"] = "openid profile email",
        }) with { ContentType = "application/json" };
    }

    private static bool Meets(string verifier, string challenge) =>
        Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))) == challenge;

    private static RefusalException Refused(string description) =>
        RefusalException.Error(StatusCodes.Status400BadRequest, "invalid_grant", description);
}
