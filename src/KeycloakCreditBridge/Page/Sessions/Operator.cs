using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Tokens;

namespace KeycloakCreditBridge.Page.Sessions;

/// <summary>A user who is signed in to the page.</summary>
/// <param name="Session">The digest of the session's cookie.</param>
/// <param name="HomeRealm">The realm that operators sign in to.</param>
/// <param name="Watched">All realms that the bridge watches.</param>
/// <param name="FormToken">What forms of this session carry.</param>
internal sealed record Operator(
    byte[] Session, string Subject, string Name, string HomeRealm, IReadOnlyList<string> Watched, IReadOnlyList<string> Roles,
    string FormToken)
{
    /// <summary>Sees everything of a realm and changes nothing.</summary>
    public const string Viewer = "credits-viewer";

    /// <summary>What audit rows name the session by; it opens nothing.</summary>
    public string SessionName => Convert.ToHexStringLower(Session.AsSpan(0, 4));

    /// <summary>The realms that the operator may see, in the order of the configuration.</summary>
    public IReadOnlyList<string> Realms => [.. Watched.Where(realm => AccessTo(realm) != Access.None)];

    /// <summary>Whether the operator may see every watched realm, and so what belongs to none of them.</summary>
    public bool SeesAll => Watched.All(realm => AccessTo(realm) != Access.None);

    /// <summary>A role of the home realm counts there; for another realm it is written role@realm.</summary>
    public Access AccessTo(string realm) =>
        !Watched.Contains(realm, StringComparer.Ordinal) ? Access.None
        : Has(realm, CallerRoles.Admin) ? Access.Change
        : Has(realm, Viewer) ? Access.View
        : Access.None;

    public bool MayChange(string realm) => AccessTo(realm) == Access.Change;

    /// <summary>Refuses what the operator may not do. A realm that the operator may not see looks like one that is not there.</summary>
    /// <exception cref="RequestRefusedException">The operator may not.</exception>
    public void Demand(string realm, Access access)
    {
        var has = AccessTo(realm);
        if (has == Access.None)
            throw NotFound();
        if (access == Access.Change && has != Access.Change)
            throw new RequestRefusedException(
                StatusCodes.Status403Forbidden, $"Changes in this realm need the role {RoleFor(realm, CallerRoles.Admin)}.");
    }

    /// <summary>The one answer for what is not there and for what the operator may not see.</summary>
    public static RequestRefusedException NotFound() => new(StatusCodes.Status404NotFound, "There is no such page.");

    /// <summary>The signed-in operator of a request; only behind the page's gate.</summary>
    public static Operator Of(HttpContext context) => context.Features.Get<Operator>()
        ?? throw new InvalidOperationException("This route is not behind the gate of the page.");

    private bool Has(string realm, string role) => Roles.Contains(RoleFor(realm, role), StringComparer.Ordinal);

    private string RoleFor(string realm, string role) => realm == HomeRealm ? role : $"{role}@{realm}";
}

/// <summary>What an operator may do in a realm.</summary>
internal enum Access
{
    None,
    View,
    Change,
}
