namespace KeycloakCreditBridge.Provisioning;

/// <summary>What a Keycloak user is to the credit system. Stored in `keycloak_users.disposition`.</summary>
internal enum Disposition
{
    /// <summary>A person with an account.</summary>
    Account,

    /// <summary>A person whose account is held: disabled in Keycloak.</summary>
    Held,

    /// <summary>A client's own user: no account.</summary>
    ServiceAccount,

    /// <summary>Left out by rule: no account.</summary>
    Excluded,

    /// <summary>No longer in Keycloak: an account is closed.</summary>
    Deleted,
}

/// <summary>What an account is opened with, if it has to be opened.</summary>
/// <param name="Amount">Credits of the opening grant.</param>
/// <param name="MonthlyCap">Most credits a period may use; null without a bound.</param>
/// <param name="PeriodEnd">End of the first period.</param>
internal sealed record OpeningGrant(string Tier, decimal Amount, decimal? MonthlyCap, bool Unlimited, DateTimeOffset PeriodEnd);

/// <summary>What one reading of Keycloak says about one user. Converging to the same judgement again changes nothing.</summary>
/// <param name="AccountId">Whose account: null for users without one, and for deleted ones, whose account is on record.</param>
/// <param name="CreatedAt">When Keycloak says the user was created; null when it does not say.</param>
/// <param name="Opening">Present exactly where there must be an account.</param>
/// <param name="ReadAt">When Keycloak was asked: an older reading never overwrites a newer one.</param>
/// <param name="Source">Who led to the user, see <see cref="Hints.HintSources"/>.</param>
/// <param name="HintVersion">The claimed hint that this settles; null when there was none.</param>
internal sealed record Judgement(
    string Realm,
    string KeycloakId,
    Disposition Disposition,
    string? AccountId,
    DateTimeOffset? CreatedAt,
    OpeningGrant? Opening,
    DateTimeOffset ReadAt,
    string Source,
    long? HintVersion = null);

/// <summary>A user whose record is not what Keycloak says.</summary>
/// <param name="Missing">There must be an account, and there is none.</param>
internal sealed record Difference(string KeycloakId, bool Missing);

/// <summary>What converging changed in one account.</summary>
/// <param name="Tier">Tier of an account that was opened.</param>
/// <param name="Balance">Balance of an account that was opened.</param>
/// <param name="Opened">The account was opened now.</param>
/// <param name="Status">The account's new status if it changed: `active`, `held` or `closed`.</param>
internal sealed record Change(string AccountId, string? Tier, decimal? Balance, bool Opened, string? Status);
