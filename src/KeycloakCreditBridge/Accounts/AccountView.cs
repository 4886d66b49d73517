using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Accounts;

/// <summary>One user with everything on record.</summary>
/// <param name="Realm">Null when only an account has this id.</param>
/// <param name="Id">Keycloak's id of the user.</param>
/// <param name="Grants">The latest ones, and all of which something is left; newest first.</param>
/// <param name="Ledger">The latest rows, newest first.</param>
/// <param name="Audit">The latest rows, newest first.</param>
internal sealed record AccountView(
    string? Realm,
    string Id,
    AccountRow? Account,
    KnownUserRow? Known,
    ListedHint? Hint,
    KeycloakLookup Keycloak,
    IReadOnlyList<GivenGrant> Grants,
    IReadOnlyList<LedgerRow> Ledger,
    IReadOnlyList<AuditRow> Audit)
{
    /// <summary>Why the account has its status, in a sentence or two.</summary>
    public string Why => AccountReason.Of(this);
}

/// <summary>What Keycloak says now.</summary>
/// <param name="User">Null when Keycloak does not know the user or could not be read.</param>
/// <param name="Problem">Why Keycloak could not be read, or null.</param>
internal sealed record KeycloakLookup(KeycloakUser? User, string? Problem);
