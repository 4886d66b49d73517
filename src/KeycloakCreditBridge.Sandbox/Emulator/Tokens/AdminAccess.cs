using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;

namespace KeycloakCreditBridge.Sandbox.Emulator.Tokens;

/// <summary>Identifies and authorizes the caller in Keycloak's order: token, realm, roles.</summary>
internal sealed class AdminAccess(RealmRegistry realms, AccessTokens tokens)
{
    /// <summary>The caller of a request; it must have a valid token.</summary>
    public Caller Caller(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        return header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && tokens.Read(header[7..].Trim()) is { } caller
            ? caller
            : throw RefusalException.Unauthorized;
    }

    /// <summary>The realm in the path and a caller whose token reaches it, whatever their roles.</summary>
    public (RealmState Realm, Caller Caller) Realm(HttpContext context)
    {
        var caller = Caller(context);
        var realm = realms.Find(context.Route("realm")) ?? throw RefusalException.Error(StatusCodes.Status404NotFound, "Realm not found.");
        return caller.Reaches(realm) ? (realm, caller) : throw RefusalException.Forbidden;
    }

    /// <summary>The realm in the path, for a caller with at least one of the roles.</summary>
    public (RealmState Realm, Caller Caller) Require(HttpContext context, params ReadOnlySpan<string> roles)
    {
        var (realm, caller) = Realm(context);
        return caller.HasAny(realm, roles) ? (realm, caller) : throw RefusalException.Forbidden;
    }
}
