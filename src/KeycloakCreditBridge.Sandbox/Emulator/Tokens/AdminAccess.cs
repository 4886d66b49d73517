using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;

namespace KeycloakCreditBridge.Sandbox.Emulator.Tokens;

/// <summary>Identifies and authorizes the caller in Keycloak's order: token, realm, roles.</summary>
internal sealed class AdminAccess(RealmRegistry realms, AccessTokens tokens)
{
    /// <summary>The caller of a request; it must have a valid token.</summary>
    public Caller Caller(HttpContext context)
    {
        if (context.Request.Headers.Authorization.ToString().Split(' ', 2) is not [var scheme, var token]
            || tokens.Read(token.Trim()) is not { } caller)
            throw RefusalException.Unauthorized;
        var isProven = caller.BoundTo is { } key
            ? scheme == "DPoP" && PossessionProof.Read(context)?.Covers(token, key) == true
            : scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase);
        return isProven ? caller : throw RefusalException.Unauthorized;
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
