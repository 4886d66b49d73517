using KeycloakCreditBridge.Hints;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>What a Keycloak user is to the credit system. Stored in `keycloak_users.user_state`.</summary>
internal enum UserState
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
/// <param name="AccountId">Whose account: null where none is named, as for deleted users, whose account is on record.</param>
/// <param name="CreatedAt">When Keycloak says the user was created; null when it does not say.</param>
/// <param name="Opening">What an account is opened with; null for who is no person, or gone.</param>
/// <param name="ReadAt">When Keycloak was asked: an older reading never overwrites a newer one.</param>
/// <param name="Source">Who led to the user, see <see cref="Hints.HintSources"/>.</param>
/// <param name="HintVersion">The claimed hint that this settles; null when there was none.</param>
internal sealed record DesiredState(
    string Realm,
    string KeycloakId,
    UserState State,
    string? AccountId,
    DateTimeOffset? CreatedAt,
    OpeningGrant? Opening,
    DateTimeOffset ReadAt,
    string Source,
    long? HintVersion = null)
{
    /// <summary>Why the user is left out, see <see cref="ExclusionReasons"/>; null for all others.</summary>
    public string? Reason { get; init; }

    /// <summary>Decides what becomes of an account that a user who is left out has all the same.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Whether accounts of the realm are renamed: then one on record under another id than named gets the named one.</summary>
    public bool Renames { get; init; }

    /// <summary>Whether the user may take over the account of this id from an owner who was deleted.</summary>
    public bool Inherits { get; init; }

    /// <summary>Whether the account id is an address that nobody proved: an account that is there already is not for whoever names it first.</summary>
    public bool IsUnverified { get; init; }

    /// <summary>Whether a balance that is left is forfeited with the account's closing.</summary>
    public bool Forfeits { get; init; }

    /// <summary>Stands for the address where the opening grant is given once per address; null elsewhere.</summary>
    public byte[]? EmailHash { get; init; }

    /// <summary>Set for who is left out by what listings do not show, see <see cref="RealmRules.BriefFingerprintOf"/>.</summary>
    public short? BriefFingerprint { get; init; }

    /// <summary>Whether accounts of the realm follow the tier that Keycloak says.</summary>
    public bool FollowsTiers { get; init; }

    /// <summary>What Keycloak says of the tier; null where the realm follows none, of who is no person or gone, and where not all was read.</summary>
    public TierFromKeycloak? TierFromKeycloak { get; init; }

    /// <summary>What the account gets when Keycloak says something else than before: that tier, or the realm's own where it says none any more.</summary>
    public TierTerms? TierTerms { get; init; }
}

/// <summary>A user whose record is not what Keycloak says.</summary>
/// <param name="Missing">There must be an account, and there is none.</param>
internal sealed record AccountDifference(string KeycloakId, bool Missing);

/// <summary>What converging changed in one account.</summary>
/// <param name="Tier">Tier of an account that was opened or switched.</param>
/// <param name="Balance">Balance of an account that was opened or switched.</param>
/// <param name="Opened">The account was opened now.</param>
/// <param name="Status">The account's new status if it changed: `active`, `held` or `closed`.</param>
internal sealed record AccountChange(string AccountId, string? Tier, decimal? Balance, bool Opened, string? Status)
{
    /// <summary>The tier before, where the account followed Keycloak to another one; then tier and balance are those after.</summary>
    public string? SwitchedFrom { get; init; }
}
