namespace KeycloakCreditBridge.Provisioning.Accounts.Batches;

/// <summary>What converging changed in one account.</summary>
/// <param name="Tier">Tier of an account that was opened or switched.</param>
/// <param name="Balance">Balance of an account that was opened or switched.</param>
/// <param name="Opened">The account was opened now.</param>
/// <param name="Status">The account's new status if it changed: `active`, `held` or `closed`.</param>
/// <param name="Welcomed">The opening grant followed now that the address is verified.</param>
/// <param name="Realm">The realm of the account's user.</param>
/// <param name="KeycloakId">The account's user.</param>
internal sealed record AccountChange(
    string AccountId, string? Tier, decimal? Balance, bool Opened, string? Status, bool Welcomed, string Realm, string KeycloakId)
{
    /// <summary>The tier before, where the account followed Keycloak to another one; then tier and balance are those after.</summary>
    public string? SwitchedFrom { get; init; }
}

/// <summary>A user whose record differs from Keycloak.</summary>
/// <param name="Missing">The user needs an account and has none.</param>
/// <param name="LeftOut">It gets no account, because the account of its id belongs to another user.</param>
internal sealed record AccountDifference(string KeycloakId, bool Missing, bool LeftOut);
