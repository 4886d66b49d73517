namespace KeycloakCreditBridge.Grants.Policy.Facts;

/// <summary>What Keycloak says of a user, as far as grants depend on it.</summary>
/// <param name="CreatedAt">The creation time in Keycloak; null when it has none.</param>
internal sealed record GrantUser(string Realm, string KeycloakId, DateTimeOffset? CreatedAt)
{
    public string? Email { get; init; }

    public bool EmailVerified { get; init; }

    /// <summary>Without an address there is nothing that could be verified, whatever the flag says.</summary>
    public bool HasVerifiedAddress => EmailVerified && !string.IsNullOrWhiteSpace(Email);

    /// <summary>Stands for the verified address where welcome credits are given once for each address; null elsewhere.</summary>
    public byte[]? EmailHash { get; init; }

    /// <summary>Whether welcome credits are given once for each address.</summary>
    public bool CountsAddresses { get; init; }

    /// <summary>Whether the tier comes from `Provisioning:TierFrom`: such a tier gives its own credits.</summary>
    public bool HasMappedTier { get; init; }

    /// <summary>Null where it was not read.</summary>
    public IReadOnlyList<string>? Groups { get; init; }

    /// <summary>Realm roles, also through groups and other roles; null where they were not read.</summary>
    public IReadOnlyList<string>? RealmRoles { get; init; }

    /// <summary>Aliases of the providers that the user is linked to; null where they were not read.</summary>
    public IReadOnlyList<string>? IdentityProviders { get; init; }

    /// <summary>Null where a listing left them out.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Attributes { get; init; }

    public string? FirstName { get; init; }

    public string? LastName { get; init; }

    /// <summary>Types of the user's credentials; null where they were not read.</summary>
    public IReadOnlyList<string>? Credentials { get; init; }

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

    /// <summary>Whether the address counts once, and did for another account.</summary>
    public bool IsAddressTaken { get; init; }
}
