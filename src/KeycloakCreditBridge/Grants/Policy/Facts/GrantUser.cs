using KeycloakCreditBridge.Grants.Claims;

namespace KeycloakCreditBridge.Grants.Policy.Facts;

/// <summary>What Keycloak says of a user, as far as grants depend on it.</summary>
/// <param name="CreatedAt">The creation time in Keycloak; null when it has none.</param>
internal sealed record GrantUser(string Realm, string KeycloakId, DateTimeOffset? CreatedAt)
{
    public string? Email { get; init; }

    public bool EmailVerified { get; init; }

    /// <summary>Without an address there is nothing that could be verified, whatever the flag says.</summary>
    public bool HasVerifiedAddress => EmailVerified && !string.IsNullOrWhiteSpace(Email);

    /// <summary>What stands for the verified address, where a grant is given once for it; null elsewhere.</summary>
    public Claim? EmailClaim { get; init; }

    /// <summary>What stands for the inbox of the verified address, where a grant is given once for it; null elsewhere.</summary>
    public Claim? InboxClaim { get; init; }

    /// <summary>For what welcome credits are given once.</summary>
    public OncePer WelcomeOncePer { get; init; }

    /// <summary>Whether the tier comes from `Provisioning:TierFrom`: such a tier gives its own credits.</summary>
    public bool HasMappedTier { get; init; }

    /// <summary>Null where it was not read.</summary>
    public IReadOnlyList<string>? Groups { get; init; }

    /// <summary>Realm roles, also through groups and other roles; null where they were not read.</summary>
    public IReadOnlyList<string>? RealmRoles { get; init; }

    /// <summary>Aliases of the providers that the user is linked to; null where they were not read.</summary>
    public IReadOnlyList<string>? IdentityProviders { get; init; }

    /// <summary>Aliases of the organisations that the user is a member of; null where they were not read.</summary>
    public IReadOnlyList<string>? Organizations { get; init; }

    /// <summary>Null where it was not read.</summary>
    public Registration? Registration { get; init; }

    /// <summary>Whether all was asked for that undecided grants need. What is null nevertheless may not be read.</summary>
    public bool IsReadInFull { get; init; }

    /// <summary>Null where a listing left them out.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Attributes { get; init; }

    public string? FirstName { get; init; }

    public string? LastName { get; init; }

    /// <summary>Types of the user's credentials; null where they were not read.</summary>
    public IReadOnlyList<string>? Credentials { get; init; }

    /// <summary>What a grant is given for once; null where it is given to each user, or the address is not verified.</summary>
    public Claim? ClaimOf(OncePer once) => once switch
    {
        OncePer.Email => EmailClaim,
        OncePer.Inbox => InboxClaim,
        _ => null,
    };

    /// <summary>When the event came that led here; null when none did. A backlog costs no user a grant.</summary>
    public DateTimeOffset? SeenAt { get; init; }
}

/// <summary>What the bridge holds about the user's account.</summary>
/// <param name="OpenedAt">When the account was opened.</param>
/// <param name="Withheld">Welcome credits that a policy withheld at the opening and has not paid yet; null when there are none.</param>
/// <param name="OpenedWith">What the account was opened with, where something is withheld.</param>
internal sealed record AccountFacts(DateTimeOffset OpenedAt, decimal? Withheld, decimal OpenedWith = 0m)
{
    private static readonly IReadOnlyDictionary<string, DateTimeOffset> NoTimes = new Dictionary<string, DateTimeOffset>();

    /// <summary>Keys of the grants of policies that the account was given.</summary>
    public IReadOnlySet<string> Given { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Keys of grants that a review holds back or refused.</summary>
    public IReadOnlySet<string> Stopped { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Since when policies are active in the realm, by name; disabled ones are left out.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> Activated { get; init; } = NoTimes;

    /// <summary>When applications reported tasks, by the task's name.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> Reported { get; init; } = NoTimes;

    /// <summary>When usage was first charged, if a gateway or a service did that; null otherwise.</summary>
    public DateTimeOffset? FirstUsageAt { get; init; }

    /// <summary>Since when the evidence of tasks stands, by the task's name.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> Settling { get; init; } = NoTimes;

    /// <summary>Where the user came from; null where the user's browser did not say.</summary>
    public Attribution? Attribution { get; init; }

    /// <summary>The account's tier.</summary>
    public string? Tier { get; init; }

    /// <summary>
    /// What opening, welcome, top-ups and pro-rating gave; null where that was not asked, and for accounts older than the welcome.
    /// </summary>
    public decimal? Welcomed { get; init; }

    /// <summary>What an experiment says of the welcome; null without one. Stored assignments of undecided welcomes are read with
    /// the rest.</summary>
    public WelcomeArm? Arm { get; init; }

    /// <summary>Whether an operator's backfill or an adoption opened the account.</summary>
    public bool IsOpenedByHand { get; init; }

    /// <summary>For what of this user's another account was paid, by policy.</summary>
    public IReadOnlySet<(OncePer Once, string Policy)> Taken { get; init; } = new HashSet<(OncePer, string)>();
}
