using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>What a Keycloak user is to the credit system. Stored in `keycloak_users.user_state`.</summary>
internal enum UserState
{
    /// <summary>A user with an account.</summary>
    Account,

    /// <summary>A user whose account is held: disabled in Keycloak.</summary>
    Held,

    /// <summary>A client's service account: no credit account.</summary>
    ServiceAccount,

    /// <summary>Excluded by a rule: no account.</summary>
    Excluded,

    /// <summary>No longer in Keycloak: an account is closed.</summary>
    Deleted,
}

/// <summary>What an account is opened with, if it has to be opened.</summary>
/// <param name="Amount">Credits of the opening grant.</param>
/// <param name="MonthlyCap">Most credits a period may use; null without a bound.</param>
/// <param name="PeriodEnd">End of the first period.</param>
internal sealed record OpeningGrant(string Tier, decimal Amount, decimal? MonthlyCap, bool Unlimited, DateTimeOffset PeriodEnd);

/// <summary>What one reading of Keycloak means for one user's account. Converging to the same state again changes nothing.</summary>
/// <param name="AccountId">The account id; null where none follows, as for deleted users, whose account is on record.</param>
/// <param name="CreatedAt">The creation time in Keycloak; null when it has none.</param>
/// <param name="Opening">What an account is opened with; null for service accounts and deleted users.</param>
/// <param name="ReadAt">When Keycloak was asked: an older reading never overwrites a newer one.</param>
/// <param name="Source">What led to the user, see <see cref="Hints.HintSources"/>.</param>
/// <param name="HintVersion">The claimed hint that this completes; null when there was none.</param>
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
    /// <summary>Why the user is excluded, see <see cref="ExclusionReasons"/>; null for all others.</summary>
    public string? Reason { get; init; }

    /// <summary>Whether Keycloak has the user enabled. It decides the status of an account that an excluded user has already.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Whether accounts of the realm are renamed when the id that follows from the user changes.</summary>
    public bool Renames { get; init; }

    /// <summary>Whether the user may take over the account of this id from a deleted owner of the same realm.</summary>
    public bool Inherits { get; init; }

    /// <summary>Whether the account id is an unverified address.</summary>
    public bool IsUnverified { get; init; }

    /// <summary>
    /// Whether the user may not take an account of this id that has no owner: a user can choose the id, or several realms share it.
    /// </summary>
    public bool LeavesUnowned { get; init; }

    /// <summary>Whether the opening grant waits until the address is verified.</summary>
    public bool AwaitsVerification { get; init; }

    /// <summary>Whether a deleted user goes on record that was on none, so that an older reading opens no account.</summary>
    public bool LeavesRecord { get; init; }

    /// <summary>Whether closing the account forfeits its balance.</summary>
    public bool Forfeits { get; init; }

    /// <summary>What the opening grant is given for once: the verified address or its inbox; null where it is given to each user.</summary>
    public Claim? Claim { get; init; }

    /// <summary>Set for users excluded by what listings do not show, see <see cref="RealmRules.BriefFingerprintOf"/>.</summary>
    public short? BriefFingerprint { get; init; }

    /// <summary>Whether a hint is written with the account, so that Keycloak is read again after concurrent writers are done.</summary>
    public bool LeavesHint { get; init; }

    /// <summary>Whether accounts of the realm follow the tier in Keycloak.</summary>
    public bool FollowsTiers { get; init; }

    /// <summary>
    /// The tier in Keycloak; null where the realm follows none, where the user was not read in full, and for service accounts and deleted
    /// users.
    /// </summary>
    public TierFromKeycloak? TierFromKeycloak { get; init; }

    /// <summary>
    /// What the account gets when the tier in Keycloak changes: that tier, or the realm's own when no rule matches any more.
    /// </summary>
    public TierTerms? TierTerms { get; init; }

    /// <summary>The user's address where Keycloak says that it is verified; null elsewhere.</summary>
    public string? VerifiedAddress { get; init; }

    /// <summary>The trace that led to the user, as W3C's `traceparent`; null for the running one.</summary>
    public string? Traceparent { get; init; }

    /// <summary>The tiers by which this was decided.</summary>
    public required TierCatalogue Tiers { get; init; }

    /// <summary>The user as policies of grants see it; null where no policy is configured.</summary>
    public GrantUser? Grants { get; init; }

    /// <summary>The policies of the user's realm; null without any.</summary>
    public RealmPolicies? Policies { get; init; }

    /// <summary>What a listing shows to be due, if it was not given: a complete run finds it without a request for each user.</summary>
    public DoneByListing Done { get; init; } = DoneByListing.Nothing;
}
