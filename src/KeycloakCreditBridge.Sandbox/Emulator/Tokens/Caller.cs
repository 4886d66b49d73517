using System.Collections.Immutable;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;

namespace KeycloakCreditBridge.Sandbox.Emulator.Tokens;

/// <summary>The user of an access token, with the roles that it was issued with.</summary>
/// <param name="Realm">The realm that issued the token.</param>
/// <param name="ClientUuid">The internal id of the client.</param>
/// <param name="Roles">As <c>client/role</c>.</param>
internal sealed record Caller(RealmState Realm, string UserId, string Username, string ClientUuid, ImmutableHashSet<string> Roles)
{
    /// <summary>The key that each request with the token has to prove; null for a token of any bearer.</summary>
    public string? BoundTo { get; init; }

    /// <summary>The realm role of the master realm that may do anything.</summary>
    public const string AdminRole = "master/admin";

    /// <summary>All roles of realm-management that an administrator can give.</summary>
    public static ImmutableArray<string> ManagementRoles { get; } =
    [
        "view-users", "query-users", "query-groups", "manage-users", "view-events", "manage-events", "view-realm", "manage-realm",
        "view-clients", "query-clients", "manage-clients", "view-identity-providers", "manage-identity-providers", "realm-admin",
        "impersonation", "create-client", "query-realms", "view-authorization", "manage-authorization",
    ];

    /// <summary>Whether the token reaches this realm at all: its own, or any from the master realm.</summary>
    public bool Reaches(RealmState realm) => ReferenceEquals(realm, Realm) || Realm.Name == RealmRegistry.Master;

    public bool HasAny(RealmState realm, params ReadOnlySpan<string> roles)
    {
        var client = ReferenceEquals(realm, Realm) ? RealmState.Management : $"{realm.Name}-realm";
        if (Roles.Contains(AdminRole) || Roles.Contains($"{client}/realm-admin"))
            return true;
        foreach (var role in roles)
        {
            if (Roles.Contains($"{client}/{role}"))
                return true;
        }

        return false;
    }

    /// <summary>Whether the token has any role at all for the realm, which is enough to read its name.</summary>
    public bool Administers(RealmState realm) => HasAny(realm, ManagementRoles.AsSpan());

    /// <summary>The roles with those that they include.</summary>
    public static ImmutableHashSet<string> Expand(ImmutableHashSet<string> roles) =>
        [.. roles.SelectMany(role => role.Split('/') is [var client, "view-users"]
            ? [role, $"{client}/query-users", $"{client}/query-groups"]
            : (string[])[role])];
}
