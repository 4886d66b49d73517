using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Intake;

/// <summary>What an event says about which user. Only the user's id and what happened are taken from it, never data of the user.</summary>
internal static partial class EventRules
{
    private const int LongestCause = 100;

    private static readonly FrozenSet<string> Changes = FrozenSet.Create(
        StringComparer.Ordinal,
        "REGISTER",
        "UPDATE_PROFILE",
        "VERIFY_PROFILE",
        "UPDATE_EMAIL",
        "VERIFY_EMAIL",
        "FEDERATED_IDENTITY_LINK",
        "FEDERATED_IDENTITY_OVERRIDE_LINK",
        "REMOVE_FEDERATED_IDENTITY",
        "IDENTITY_PROVIDER_LINK_ACCOUNT",
        "IDENTITY_PROVIDER_FIRST_LOGIN",
        "USER_DISABLED_BY_PERMANENT_LOCKOUT");

    /// <summary>The hint in a user event, or null when it concerns no user of ours.</summary>
    public static UserHint? HintFrom(UserEvent happened, string realm, string source)
    {
        if (happened.Error is not null || happened.Type.EndsWith("_ERROR", StringComparison.Ordinal))
            return null;
        // Token requests of service accounts, the bridge's own among them, carry a user id too.
        if (happened.Type.StartsWith("CLIENT_", StringComparison.Ordinal) || !MayHaveAccount(happened.UserId))
            return null;
        var kind = happened.Type switch
        {
            "DELETE_ACCOUNT" => HintKind.Deleted,
            var type when Changes.Contains(type) => HintKind.Changed,
            _ => HintKind.Seen,
        };
        return new UserHint(realm, happened.UserId, kind, Shortened(happened.Type), source);
    }

    /// <summary>The hint in an admin event, or null when it concerns no user. The administrator who acted is never the user.</summary>
    public static UserHint? HintFrom(AdminEvent happened, string realm, string source)
    {
        var path = UserPath().Match(happened.ResourcePath ?? "");
        var userId = path.Groups["id"].Value;
        // The realm's user profile settings live at users/profile.
        if (happened.Error is not null || !MayHaveAccount(userId) || userId == "profile")
            return null;
        var below = path.Groups["below"].Value;
        var kind = (below.Length > 0, happened.OperationType) switch
        {
            (false, "DELETE") => HintKind.Deleted,
            (false, _) => HintKind.Changed,
            (true, _) when below.StartsWith("federated-identity", StringComparison.Ordinal) => HintKind.Changed,
            // Tiers may follow groups and roles of the realm.
            (true, _) when below.StartsWith("groups/", StringComparison.Ordinal) || below == "role-mappings/realm" => HintKind.Changed,
            // Roles of clients, password resets and the like change nothing that an account depends on.
            _ => HintKind.Seen,
        };
        return new UserHint(realm, userId, kind, Shortened($"{happened.ResourceType ?? "USER"}-{happened.OperationType}"), source);
    }

    private static bool MayHaveAccount([NotNullWhen(true)] string? userId) => !string.IsNullOrEmpty(userId) && !UserIds.IsTransient(userId);

    private static string Shortened(string cause) => cause.Length <= LongestCause ? cause : cause[..LongestCause];

    // Keycloak stores paths decoded: what stands there is the id as it is. SCIM requests have a path of their own, and partial import says
    // users/{id} with resource type REALM.
    [GeneratedRegex(@"\A(?:users|scim/v2/Users)/(?<id>[^/]+)(?:/(?<below>.*))?\z", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex UserPath();
}
