using System.Collections.Frozen;

namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>What an event says happened to its user.</summary>
internal enum UserEffect
{
    Created,
    Changed,
    Deleted,

    /// <summary>Nothing happened to the user; it may be the first trace of one.</summary>
    Seen,
}

/// <summary>The types of user events that matter. Intake, setup, doctor and keycloak-config all follow this list.</summary>
internal static class UserEventTypes
{
    private static readonly (string Name, UserEffect Effect)[] All =
    [
        ("REGISTER", UserEffect.Created),
        ("LOGIN", UserEffect.Seen),
        ("UPDATE_PROFILE", UserEffect.Changed),
        ("VERIFY_PROFILE", UserEffect.Changed),
        ("UPDATE_EMAIL", UserEffect.Changed),
        ("VERIFY_EMAIL", UserEffect.Changed),
        ("DELETE_ACCOUNT", UserEffect.Deleted),
        ("USER_DISABLED_BY_PERMANENT_LOCKOUT", UserEffect.Changed),
        ("FEDERATED_IDENTITY_LINK", UserEffect.Changed),
        ("FEDERATED_IDENTITY_OVERRIDE_LINK", UserEffect.Changed),
        ("REMOVE_FEDERATED_IDENTITY", UserEffect.Changed),
        ("IDENTITY_PROVIDER_FIRST_LOGIN", UserEffect.Changed),
        ("IDENTITY_PROVIDER_LINK_ACCOUNT", UserEffect.Changed),
        // Before 26.7 an invitation to an organisation makes a user and says nothing else.
        ("EXECUTE_ACTION_TOKEN", UserEffect.Seen),
        ("INVITE_ORG", UserEffect.Seen),
    ];

    private static readonly FrozenDictionary<string, UserEffect> Effects =
        All.ToFrozenDictionary(type => type.Name, type => type.Effect, StringComparer.Ordinal);

    /// <summary>The types that a realm should store.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(type => type.Name)];

    /// <summary>Without these users appear late and stay after they are deleted; all others only make a change known sooner.</summary>
    public static IReadOnlyList<string> Required { get; } =
        [.. All.Where(type => type.Effect is UserEffect.Created or UserEffect.Deleted).Select(type => type.Name)];

    /// <summary>Types of events by which a user registers itself, through the form or an identity provider.</summary>
    public static FrozenSet<string> Registrations { get; } =
        FrozenSet.Create(StringComparer.Ordinal, "REGISTER", "IDENTITY_PROVIDER_FIRST_LOGIN");

    // They change nothing that an account depends on, but a task may be done with them. A realm need not store them for anything else.
    private static readonly FrozenSet<string> OfCredentials = FrozenSet.Create(
        StringComparer.Ordinal, "UPDATE_CREDENTIAL", "UPDATE_TOTP", "CONFIGURE_TOTP", "REMOVE_CREDENTIAL", "REMOVE_TOTP");

    /// <summary>What an event of any type says happened to its user.</summary>
    public static UserEffect EffectOf(string type) =>
        Effects.GetValueOrDefault(type, OfCredentials.Contains(type) ? UserEffect.Changed : UserEffect.Seen);
}
