using System.Text.Json;

namespace KeycloakCreditBridge.Api.Tokens;

/// <summary>The caller, as a verified token says.</summary>
/// <param name="Realm">The configured realm that signed the token.</param>
/// <param name="Subject">Keycloak's id of the user or service account.</param>
/// <param name="Username">Absent from tokens without the scope `profile`.</param>
/// <param name="StatedAt">When Keycloak issued the token.</param>
internal sealed record Caller(string Realm, string Subject, string? Username, bool IsAdmin, bool IsService, DateTimeOffset StatedAt)
{
    /// <summary>Whether a user signed in for this token. Otherwise it may be a service account's, under any name.</summary>
    public bool IsFromLogin { get; init; }

    /// <summary>Whether it may see what concerns the whole realm.</summary>
    public bool IsViewer { get; init; }

    /// <summary>The client that the token was issued to; null where it does not say so.</summary>
    public string? ClientId { get; init; }

    /// <summary>Whether the operator trusts it with more than its own account.</summary>
    public bool HasRole => IsAdmin || IsService;

    /// <summary>Unique over all realms: a realm's name has no slash.</summary>
    public string Key => $"{Realm}/{Subject}";

    /// <summary>The caller of a request; only behind an endpoint that requires a token.</summary>
    public static Caller Of(HttpContext context) => context.Features.Get<Caller>()
        ?? throw new InvalidOperationException("This endpoint requires no token.");

    /// <param name="realm">The realm whose keys verified the claims.</param>
    /// <param name="claims">The token's payload.</param>
    /// <param name="audience">The client whose roles count beside those of the realm.</param>
    /// <param name="now">Stands in for a missing or future time of issue.</param>
    public static Caller From(string realm, JsonElement claims, string audience, DateTimeOffset now)
    {
        var roles = RolesOf(claims, audience);
        var issued = claims.TryGetProperty("iat", out var iat) && iat.TryGetInt64(out var seconds) && seconds < now.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(Math.Max(seconds, 0))
            : now;
        return new Caller(
            realm, Text(claims, "sub") ?? "", Text(claims, "preferred_username"), roles.Contains(CallerRoles.Admin),
            roles.Contains(CallerRoles.Service), issued)
        {
            IsFromLogin = IsLogin(Text(claims, "jti")),
            IsViewer = roles.Contains(CallerRoles.Viewer),
            ClientId = Text(claims, "azp") ?? Text(claims, "client_id"),
        };
    }

    /// <summary>Roles of the realm, and of the client that <paramref name="audience"/> names.</summary>
    public static HashSet<string> RolesOf(JsonElement claims, string audience)
    {
        var roles = RolesIn(claims, "realm_access").ToHashSet(StringComparer.Ordinal);
        if (claims.TryGetProperty("resource_access", out var clients) && clients.ValueKind == JsonValueKind.Object)
            roles.UnionWith(RolesIn(clients, audience));
        return roles;
    }

    // Since 26.2 the token's id begins with the kind of session, token and grant, as in `onrtac:`. No mapper can set it, unlike all names.
    private static bool IsLogin(string? tokenId) => tokenId?.IndexOf(':', StringComparison.Ordinal) == 6 && tokenId[4..6] is "ac" or "ro";

    /// <summary>A claim that is text; null when it is missing or anything else.</summary>
    public static string? Text(JsonElement claims, string name) =>
        claims.TryGetProperty(name, out var claim) && claim.ValueKind == JsonValueKind.String ? claim.GetString() : null;

    private static IEnumerable<string> RolesIn(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var access) && access.ValueKind == JsonValueKind.Object
        && access.TryGetProperty("roles", out var roles) && roles.ValueKind == JsonValueKind.Array
            ? roles.EnumerateArray().Where(role => role.ValueKind == JsonValueKind.String).Select(role => role.GetString()!)
            : [];
}

/// <summary>Roles of the realm, or of the client that <see cref="ApiOptions.Audience"/> names.</summary>
internal static class CallerRoles
{
    /// <summary>Allocates, refunds, adjusts, switches tiers and reads all users of the realm.</summary>
    public const string Admin = "credits-admin";

    /// <summary>Reads, deducts and provisions for all users of the realm.</summary>
    public const string Service = "credits-service";

    /// <summary>Sees how the realm's users are counted, and changes nothing.</summary>
    public const string Viewer = "credits-viewer";
}
