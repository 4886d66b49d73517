using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>What the policy looks at.</summary>
internal sealed record Subject(string Realm, string KeycloakId, bool Enabled, bool IsServiceAccount, DateTimeOffset? CreatedAt)
{
    /// <summary>The last millisecond of the calendar, in which whoever was created later counts as created.</summary>
    public const long LastMillisecond = 253_402_300_799_999;

    public string? Username { get; init; }

    public string? Email { get; init; }

    public bool EmailVerified { get; init; }

    /// <summary>Null where a listing left them out.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Attributes { get; init; }

    /// <summary>Aliases of the providers that the user is linked to; null where nobody asked.</summary>
    public IReadOnlyList<string>? IdentityProviders { get; init; }

    /// <summary>Paths of the groups that the user is a member of, without those above them; null where nobody asked.</summary>
    public IReadOnlyList<string>? Groups { get; init; }

    /// <summary>Realm roles that the user has, also through groups and other roles; null where nobody asked.</summary>
    public IReadOnlyList<string>? RealmRoles { get; init; }

    /// <param name="realm">Name of the user's realm.</param>
    /// <param name="user">The user as read.</param>
    /// <param name="isPerson">Nothing in the user itself says so: see <see cref="KeycloakClient.IsRegularUserAsync"/>.</param>
    public static Subject From(string realm, KeycloakUser user, bool isPerson) =>
        new(realm, user.Id, user.Enabled, !isPerson, Instant(user.CreatedTimestamp))
        {
            Username = user.Username,
            Email = user.Email,
            EmailVerified = user.EmailVerified,
            Attributes = user.Attributes,
        };

    /// <summary>An import may say anything of a creation: what is before the calendar is as good as nothing, what is behind it is its end.</summary>
    public static DateTimeOffset? Instant(long? milliseconds) =>
        milliseconds is { } value and > -62_135_596_800_000 ? DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(value, LastMillisecond)) : null;
}
