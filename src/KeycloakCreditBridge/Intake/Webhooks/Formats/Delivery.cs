using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Intake.Webhooks.Formats;

/// <summary>The event of a delivery; neither kind is set when its type is irrelevant.</summary>
/// <param name="Realm">Name of the realm, where the body has it.</param>
internal sealed record Delivery(string? Realm, UserEvent? User, AdminEvent? Admin)
{
    /// <summary>What the body is.</summary>
    public WebhookFormat Format { get; init; }

    /// <summary>The event's type as a delivery's row names it; null when it is irrelevant.</summary>
    public string? EventType => User?.Type ?? (Admin is { } happened ? $"{happened.ResourceType}-{happened.OperationType}" : null);

    /// <summary>Why there is no hint in it, as a word.</summary>
    public string WhyIgnored => this switch
    {
        { User.Error: not null } or { Admin.Error: not null } => "failed_event",
        { User: null, Admin: null } => "irrelevant_type",
        { User.Type: { } type } when type.EndsWith("_ERROR", StringComparison.Ordinal) => "failed_event",
        { User.Type: { } type } when type.StartsWith("CLIENT_", StringComparison.Ordinal) => "client_event",
        _ => "no_user",
    };

    /// <summary>
    /// Whether its sender is known to report after Keycloak's transaction has committed. Before, Keycloak shows the user as it was, and
    /// some of these plugins hold the transaction open until they are answered.
    /// </summary>
    public bool IsSentAfterCommit(RealmOptions realm) =>
        Format is WebhookFormat.PhaseTwo or WebhookFormat.KeycloakEvents or WebhookFormat.WebhookProvider
        // Vymalo's events of users look like Keycloak's.
        && realm.WebhookAuthentication is not (WebhookAuthentication.Basic or WebhookAuthentication.SharedHeader);

    /// <summary>The hint in it, or null when it concerns no user.</summary>
    /// <param name="realm">The realm that it was sent for.</param>
    /// <param name="source">The way that it came, see <see cref="HintSources"/>.</param>
    public UserHint? HintFor(string realm, string source = HintSources.Webhook) => this switch
    {
        { User: { } happened } => EventRules.HintFrom(happened, realm, source),
        { Admin: { } happened } => EventRules.HintFrom(happened, realm, source),
        _ => null,
    };

    /// <summary>The same, where its user's id can be one.</summary>
    /// <exception cref="MalformedDeliveryException">The user's id cannot be one.</exception>
    public UserHint? UsableHintFor(string realm, string source)
    {
        var hint = HintFor(realm, source);
        return hint is not null && UserIds.ProblemWith(hint.UserId) is { } problem
            ? throw new MalformedDeliveryException($"The user id {problem}.") { Reason = RefusalReasons.UserId }
            : hint;
    }

    /// <param name="userId">The user whose event it is.</param>
    public static Delivery OfUser(string? realm, string type, string? userId, string? error) =>
        new(realm, new UserEvent(Type: type, UserId: userId, Error: error), null);

    /// <param name="type">Resource type and operation in one, such as USER-CREATE.</param>
    public static Delivery OfAdmin(string? realm, string type, string? path, string? error)
    {
        var operation = type.LastIndexOf('-');
        return OfAdmin(realm, type[(operation + 1)..], type[..Math.Max(operation, 0)], path, error);
    }

    /// <param name="path">Names the user concerned, never the acting administrator.</param>
    public static Delivery OfAdmin(string? realm, string operation, string? resource, string? path, string? error) =>
        new(realm, null, new AdminEvent(OperationType: operation, ResourceType: resource, ResourcePath: path, Error: error));
}

/// <summary>A body that is not what its sender should have sent. The message names what is wrong.</summary>
internal sealed class MalformedDeliveryException(string message) : Exception(message)
{
    /// <summary>A word for metrics and logs.</summary>
    public string Reason { get; init; } = RefusalReasons.Malformed;
}
