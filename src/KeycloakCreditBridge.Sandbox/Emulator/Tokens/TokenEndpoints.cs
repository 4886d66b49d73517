using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Pages;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Tokens;

/// <summary>The token endpoint: client_credentials for service accounts, password for administrators and tests.</summary>
internal sealed class TokenEndpoints(
    RealmRegistry realms, AccessTokens tokens, TransactionFactory transactions, Lockouts lockouts, EmulatorClock clock,
    ServerModel model, Uri server)
{
    private const string Scope = "profile email";

    private readonly ClientAssertions _assertions = new(clock, server);
    private readonly LoginGrants _logins = new(tokens);

    public void Map(Routes routes)
    {
        routes.Map("POST", "/realms/{realm}/protocol/openid-connect/token", TokenAsync);
        routes.Map("GET", "/realms/{realm}/protocol/openid-connect/certs", context => Answer.Json(AccessTokens.KeysOf(Realm(context))));
        routes.Map("GET", "/realms/{realm}/.well-known/openid-configuration", Discover);
    }

    private RealmState Realm(HttpContext context)
    {
        var realm = realms.Find(context.Route("realm")) ?? throw RefusalException.NoSuchRealm;
        return realm.Settings.Text("sslRequired") == "all" && !context.Request.IsHttps
            ? throw Refused(StatusCodes.Status403Forbidden, "invalid_request", "HTTPS required")
            : realm;
    }

    private Answer Discover(HttpContext context)
    {
        var issuer = $"{server}realms/{Uri.EscapeDataString(Realm(context).Name)}";
        return Answer.Json(new JsonObject
        {
            ["issuer"] = issuer,
            ["token_endpoint"] = $"{issuer}/protocol/openid-connect/token",
            ["jwks_uri"] = $"{issuer}/protocol/openid-connect/certs",
        });
    }

    private async Task<Answer> TokenAsync(HttpContext context)
    {
        var realm = Realm(context);
        if (realm.Settings.Flag("enabled") is false)
            throw Refused(StatusCodes.Status403Forbidden, "access_denied", "Realm not enabled");
        var form = context.Request.HasFormContentType ? await context.Request.ReadFormAsync(context.RequestAborted) : FormCollection.Empty;
        var (clientId, secret) = Credentials(context, form);
        return form["grant_type"].ToString() switch
        {
            "client_credentials" => await ClientCredentialsAsync(context, realm, clientId, secret, form),
            "password" => await PasswordAsync(context, realm, clientId, form),
            "authorization_code" => _logins.RedeemCode(realm, clientId, secret, form),
            "refresh_token" => _logins.Refresh(realm, clientId, secret, form),
            "" => throw Refused(400, "invalid_request", "Missing form parameter: grant_type"),
            _ => throw Refused(400, "unsupported_grant_type", "Unsupported grant_type"),
        };
    }

    private async Task<Answer> ClientCredentialsAsync(
        HttpContext context, RealmState realm, string clientId, string? secret, IFormCollection form)
    {
        var transaction = transactions.Begin(realm, context);
        var details = new Dictionary<string, string> { ["grant_type"] = "client_credentials" };
        var client = realm.Clients.GetValueOrDefault(clientId);
        var signs = client is { IsPublic: false, Enabled: true, Authenticator: "client-jwt" };
        if (signs)
            await _assertions.CheckAsync(realm, client!, form);
        if (client is null || client.IsPublic || !client.Enabled || (!signs && client.Secret != secret))
        {
            var (error, answer, description) = client switch
            {
                null => ("client_not_found", "invalid_client", "Invalid client or Invalid client credentials"),
                { IsPublic: true } => ("invalid_client", "unauthorized_client", "Public client not allowed to retrieve service account"),
                _ => ("invalid_client_credentials", "unauthorized_client", "Invalid client or Invalid client credentials"),
            };
            transaction.Raise("CLIENT_LOGIN_ERROR", clientId, null, details, error: error);
            await transaction.CommitAsync(context.RequestAborted);
            throw Refused(StatusCodes.Status401Unauthorized, answer, description);
        }

        var user = realm.ServiceAccountOf(client)
            ?? throw Refused(StatusCodes.Status401Unauthorized, "unauthorized_client", "Client not enabled to retrieve service account");
        var possession = PossessionProof.Read(context);
        ClientPolicies.DemandBinding(client, possession is not null);
        details["token_id"] = Guid.NewGuid().ToString();
        details["scope"] = Scope;
        details["client_auth_method"] = "client-secret";
        details["username"] = user.Username;
        transaction.Raise("CLIENT_LOGIN", clientId, user.Id, details);
        await transaction.CommitAsync(context.RequestAborted);
        return Token(tokens.Issue(realm, user, client, boundTo: possession?.KeyThumbprint));
    }

    private async Task<Answer> PasswordAsync(HttpContext context, RealmState realm, string clientId, IFormCollection form)
    {
        var client = realm.Clients.GetValueOrDefault(clientId)
            ?? throw Refused(StatusCodes.Status401Unauthorized, "invalid_client", "Invalid client or Invalid client credentials");
        var transaction = transactions.Begin(realm, context);
        var username = form["username"].ToString();
        var details = new Dictionary<string, string>
        {
            ["auth_method"] = "openid-connect",
            ["grant_type"] = "password",
            ["client_auth_method"] = "client-secret",
            ["username"] = username,
        };
        EmulatedUser? user;
        lock (realm.Gate)
            user = realm.Users.ByUsername(username);
        var isLetIn = lockouts.Admits(realm, user, form["password"].ToString(), out var error);
        if (isLetIn)
            transaction.Raise("LOGIN", clientId, user!.Id, details, LoginSession.NewSessionId());
        else
            transaction.Raise(
                "LOGIN_ERROR", clientId, user?.Id, details, error: error);
        await transaction.CommitAsync(context.RequestAborted);
        return isLetIn
            ? Token(tokens.Issue(realm, user!, client))
            : throw Refused(model is ServerModel.V26_0 ? 401 : 400, "invalid_grant", "Invalid user credentials");
    }

    private Answer Token(string accessToken) => Answer.Json(new JsonObject
    {
        ["access_token"] = accessToken,
        ["expires_in"] = (int)tokens.Lifetime.TotalSeconds,
        ["refresh_expires_in"] = 0,
        ["token_type"] = "Bearer",
        ["not-before-policy"] = 0,
        ["scope"] = Scope,
    }) with { ContentType = "application/json" };

    private static (string ClientId, string? Secret) Credentials(HttpContext context, IFormCollection form)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
            return (form["client_id"].ToString(), form["client_secret"]);
        var pair = Encoding.UTF8.GetString(Convert.FromBase64String(header[6..])).Split(':', 2);
        return (Uri.UnescapeDataString(pair[0]), Uri.UnescapeDataString(pair[^1]));
    }

    private static RefusalException Refused(int status, string error, string description) =>
        RefusalException.Error(status, error, description);
}
