using KeycloakCreditBridge.Sandbox.Emulator.Events;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Webhooks;

/// <summary>The body of a delivery, field by field in the order the plugin writes them.</summary>
/// <param name="Uid">One per event and subscription, the same on every retry.</param>
internal sealed record WebhookBody(
    string? Id,
    long Time,
    string RealmId,
    string RealmName,
    string? Error,
    string? OperationType,
    string? ResourcePath,
    string? Representation,
    string Uid,
    WebhookAuthDetails AuthDetails,
    IReadOnlyDictionary<string, string> Details,
    string Type,
    string? ResourceId,
    string? ResourceType)
{
    private static readonly Dictionary<string, string> NoDetails = [];

    /// <summary>The body for an action of a user; the realm's lock is held.</summary>
    public static WebhookBody Of(RealmState realm, UserEvent raised) => new(
        raised.Id, raised.Time, realm.Id, realm.Name, raised.Error, null, null, null, "",
        new WebhookAuthDetails(
            realm.Name, raised.ClientId, raised.UserId, raised.IpAddress,
            raised.UserId is null ? null : realm.Users.ById(raised.UserId)?.Username ?? raised.Details?.GetValueOrDefault("username"),
            raised.SessionId ?? raised.Details?.GetValueOrDefault("code_id")),
        raised.Details ?? NoDetails, $"access.{raised.Type}", null, null);

    /// <summary>
    /// The body for an action of an administrator, with the representation even if the realm does not store it; the realm's lock is held.
    /// </summary>
    public static WebhookBody Of(RealmState realm, AdminEvent raised, Caller caller) => new(
        raised.Id, raised.Time, realm.Id, realm.Name, null, raised.OperationType, raised.ResourcePath, raised.Representation, "",
        new WebhookAuthDetails(caller.Realm.Name, caller.ClientUuid, caller.UserId, raised.AuthDetails.IpAddress, caller.Username, null),
        AffectedUser(realm, raised.ResourcePath), $"admin.{raised.ResourceType}-{raised.OperationType}",
        raised.ResourcePath?.Split('/')[^1], raised.ResourceType);

    /// <summary>Only a path of exactly <c>users/{uuid}</c> gets these details; a deleted user has no name any more.</summary>
    private static Dictionary<string, string> AffectedUser(RealmState realm, string? path)
    {
        if (path?.Split('/') is not ["users", var id] || !Guid.TryParse(id, out _))
            return NoDetails;
        var details = new Dictionary<string, string> { ["userId"] = id };
        if (realm.Users.ById(id) is { } user)
            details["username"] = user.Username;
        return details;
    }
}

/// <summary>The actor: the affected user for access events, the administrator for admin events.</summary>
/// <param name="RealmId">The realm's name, whatever the field is called.</param>
internal sealed record WebhookAuthDetails(
    string RealmId, string? ClientId, string? UserId, string? IpAddress, string? Username, string? SessionId);
