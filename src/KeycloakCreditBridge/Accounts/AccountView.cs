using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Accounts;

/// <summary>One user with everything that is known of them.</summary>
/// <param name="Realm">Null when an account has this id and no realm is known to have the user.</param>
/// <param name="Id">Keycloak's id of the user.</param>
/// <param name="Ledger">The latest rows, newest first.</param>
/// <param name="Audit">The latest rows, newest first.</param>
internal sealed record AccountView(
    string? Realm,
    string Id,
    AccountRow? Account,
    KnownUserRow? Known,
    ListedHint? Hint,
    KeycloakLookup Keycloak,
    IReadOnlyList<LedgerRow> Ledger,
    IReadOnlyList<AuditRow> Audit)
{
    /// <summary>Why the account is as it is, in a sentence or two.</summary>
    public string Why => AccountReason.Of(this);
}

/// <summary>What Keycloak says now.</summary>
/// <param name="User">Null when Keycloak does not know the user, or could not be asked.</param>
/// <param name="Problem">Why Keycloak could not be asked; null when it was.</param>
internal sealed record KeycloakLookup(KeycloakUser? User, string? Problem);
