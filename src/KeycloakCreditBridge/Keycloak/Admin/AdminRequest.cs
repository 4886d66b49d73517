using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>One request below a realm of the Admin API.</summary>
/// <param name="Resource">First segments of the path, which name it in messages, for example users/count; empty for the realm
/// itself.</param>
/// <param name="Role">The role of realm-management that it needs.</param>
/// <param name="Suffix">The rest of the path and the query, escaped.</param>
internal sealed record AdminRequest(string Resource, string Role, string Suffix = "")
{
    public const string ViewUsers = "view-users";
    public const string ViewEvents = "view-events";
    public const string ManageRealm = "manage-realm";

    public HttpMethod Method { get; init; } = HttpMethod.Get;

    public JsonNode? Body { get; init; }

    /// <summary>Whether the resource is one that a plugin serves beside the realm's own pages, outside the Admin API.</summary>
    public bool IsOfPlugin { get; init; }

    public bool IsRead => Method == HttpMethod.Get;

    public bool ReadsEvents => Resource is "events" or "admin-events";

    /// <summary>The path below Keycloak's address.</summary>
    public string PathIn(string realm)
    {
        var root = $"{(IsOfPlugin ? "realms" : "admin/realms")}/{Uri.EscapeDataString(realm)}";
        return Resource.Length == 0 ? root + Suffix : $"{root}/{Resource}{Suffix}";
    }

    /// <summary>How messages name it; the suffix is left out, as it may hold a user's name.</summary>
    public override string ToString() => Resource.Length == 0 ? $"{Method} the realm" : $"{Method} {Resource}";
}
