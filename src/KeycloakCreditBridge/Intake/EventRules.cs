using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Intake;

/// <summary>Turns events into hints. Only the user's id and the type of the event are used, never data of the user.</summary>
internal static partial class EventRules
{
    /// <summary>Why a run is asked for after <see cref="IsOverwrite"/>.</summary>
    public const string Overwritten = "a partial import overwrote users, whose deletion no event reports";

    private const int LongestCause = 100;

    // The realm's user profile settings live at users/profile.
    private const string Profile = "profile";

    /// <summary>The hint in a user event, or null when it concerns no user with an account.</summary>
    public static UserHint? HintFrom(UserEvent happened, string realm, string source)
    {
        if (happened.Error is not null || happened.Type.EndsWith("_ERROR", StringComparison.Ordinal))
            return null;
        // Token requests of service accounts, the bridge's own among them, carry a user id too.
        if (happened.Type.StartsWith("CLIENT_", StringComparison.Ordinal) || !MayHaveAccount(happened.UserId))
            return null;
        var kind = UserEventTypes.EffectOf(happened.Type) switch
        {
            UserEffect.Deleted => HintKind.Deleted,
            UserEffect.Seen => HintKind.Seen,
            _ => HintKind.Changed,
        };
        return new UserHint(realm, happened.UserId, kind, Shortened(happened.Type), source);
    }

    /// <summary>The hint in an admin event, or null when it concerns no user. The acting administrator is never the user.</summary>
    public static UserHint? HintFrom(AdminEvent happened, string realm, string source)
    {
        var (userId, below) = UserIn(happened);
        if (happened.Error is not null || !MayHaveAccount(userId) || userId == Profile)
            return null;
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

    /// <summary>
    /// Whether a partial import overwrote a user: it deletes the user, creates another of the same name, and reports the new one alone.
    /// </summary>
    public static bool IsOverwrite(AdminEvent happened) =>
        happened is { OperationType: "UPDATE", ResourceType: "REALM", Error: null }
            && UserIn(happened) is ({ Length: > 0 } and not Profile, "");

    /// <summary>Whether an administrator made a user.</summary>
    public static bool IsCreation(AdminEvent happened) =>
        happened is { OperationType: "CREATE", ResourceType: "USER", Error: null }
            && UserIn(happened) is ({ Length: > 0 } and not Profile, "");

    private static (string Id, string Below) UserIn(AdminEvent happened)
    {
        var path = UserPath().Match(happened.ResourcePath ?? "");
        return (path.Groups["id"].Value, path.Groups["below"].Value);
    }

    private static bool MayHaveAccount([NotNullWhen(true)] string? userId) => !string.IsNullOrEmpty(userId) && !UserIds.IsTransient(userId);

    // Half a character cannot be stored.
    private static string Shortened(string cause) => cause.Length <= LongestCause ? cause
        : cause[..(char.IsHighSurrogate(cause[LongestCause - 1]) ? LongestCause - 1 : LongestCause)];

    // Keycloak stores paths decoded, so the id needs no decoding. SCIM requests have a path of their own, and partial import has users/{id}
    // with resource type REALM.
    [GeneratedRegex(@"\A(?:users|scim/v2/Users)/(?<id>[^/]+)(?:/(?<below>.*))?\z", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex UserPath();
}
