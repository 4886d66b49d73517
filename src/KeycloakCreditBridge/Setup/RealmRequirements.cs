using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Setup;

/// <summary>What the bridge needs of a realm: `setup` provides it, `doctor` checks it.</summary>
internal static class RealmRequirements
{
    /// <summary>The listener that sends Phase Two's webhooks.</summary>
    public const string Listener = "ext-event-webhook";

    /// <summary>Where a bridge with a single realm takes webhooks too.</summary>
    public const string SharedWebhookPath = "/webhooks/keycloak";

    /// <summary>The realm attribute with the seconds that admin events are kept.</summary>
    public const string AdminRetention = "adminEventsExpiration";

    /// <summary>The roles of the bridge's service account.</summary>
    public static readonly IReadOnlyList<string> Roles = ["view-users", "view-events"];

    /// <summary>Roles that are parts of those.</summary>
    public static readonly IReadOnlyList<string> IncludedRoles = ["query-users", "query-groups"];

    /// <summary>
    /// Types of deliveries that the bridge acts on, as the plugin names them; partial import names its users' resource REALM.
    /// </summary>
    public static readonly IReadOnlyList<string> DeliveryTypes =
    [
        .. UserEventTypes.Names.Select(type => $"access.{type}"),
        "admin.USER-CREATE", "admin.USER-UPDATE", "admin.USER-DELETE", "admin.REALM-CREATE", "admin.REALM-UPDATE",
    ];

    /// <summary>What a webhook is subscribed to.</summary>
    public static readonly IReadOnlyList<string> Subscription = ["access.*", "admin.*"];

    public static string WebhookPath(string realm) => $"{SharedWebhookPath}/{Uri.EscapeDataString(realm)}";

    /// <summary>The client whose roles administer the realm.</summary>
    public static string ManagementClientOf(string realm) => realm == "master" ? "master-realm" : "realm-management";
}
