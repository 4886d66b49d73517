using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>What the policy evaluates.</summary>
internal sealed record Subject(string Realm, string KeycloakId, bool Enabled, bool IsServiceAccount, DateTimeOffset? CreatedAt)
{
    /// <summary>The last millisecond of the calendar. A later creation time counts as this one.</summary>
    public const long LastMillisecond = 253_402_300_799_999;

    public string? Username { get; init; }

    public string? Email { get; init; }

    public bool EmailVerified { get; init; }

    public string? FirstName { get; init; }

    public string? LastName { get; init; }

    /// <summary>Null where a listing left them out.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Attributes { get; init; }

    /// <summary>Aliases of the providers that the user is linked to; null where it was not read.</summary>
    public IReadOnlyList<string>? IdentityProviders { get; init; }

    /// <summary>Paths of the groups that the user is a member of, without those above them; null where it was not read.</summary>
    public IReadOnlyList<string>? Groups { get; init; }

    /// <summary>Realm roles that the user has, also through groups and other roles; null where it was not read.</summary>
    public IReadOnlyList<string>? RealmRoles { get; init; }

    /// <summary>Types of the user's credentials; null where they were not read.</summary>
    public IReadOnlyList<string>? Credentials { get; init; }

    /// <summary>Aliases of the organisations that the user is a member of; null where they were not read.</summary>
    public IReadOnlyList<string>? Organizations { get; init; }

    /// <summary>How the user registered; null where it was not read.</summary>
    public Registration? Registration { get; init; }

    /// <summary>Whether the user was read by its id, with all that its undecided grants need and the bridge may read.</summary>
    public bool IsReadInFull { get; init; }

    /// <param name="realm">Name of the user's realm.</param>
    /// <param name="user">The user as read.</param>
    /// <param name="isRegularUser">False for a service account. The user itself does not say it, see
    /// <see cref="KeycloakClient.IsRegularUserAsync"/>.</param>
    public static Subject From(string realm, KeycloakUser user, bool isRegularUser) =>
        new(realm, user.Id, user.Enabled, !isRegularUser, Instant(user.CreatedTimestamp))
        {
            Username = user.Username,
            Email = user.Email,
            EmailVerified = user.EmailVerified,
            FirstName = user.FirstName,
            LastName = user.LastName,
            Attributes = user.Attributes,
        };

    /// <summary>An import may set any creation time. One before the calendar counts as none, one behind it as its end.</summary>
    public static DateTimeOffset? Instant(long? milliseconds) =>
        milliseconds is { } value and > -62_135_596_800_000
            ? DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(value, LastMillisecond)) : null;
}
