namespace KeycloakCreditBridge.Intake.Webhooks.Formats;

/// <summary>
/// Keycloak's own representations, as Phase Two's `ext-event-http` sends them: an admin event has an operation and no type, a user event
/// a type without prefix. Neither names its realm.
/// </summary>
internal static class KeycloakEventFormat
{
    private const BodyMembers Needed = BodyMembers.RealmId | BodyMembers.Time;
    private const BodyMembers Foreign = BodyMembers.Uid | BodyMembers.EventId | BodyMembers.OccurredAt;
    private const BodyMembers OfAdminEvents = BodyMembers.OperationType | BodyMembers.AuthDetails | BodyMembers.ResourcePath;

    public static bool Fits(BodyShape shape) =>
        shape.HasAll(Needed) && !shape.HasAny(Foreign) && (IsAdminEvent(shape) || IsUserEvent(shape));

    /// <exception cref="MalformedDeliveryException">The body is not one event as JSON.</exception>
    public static Delivery Read(ReadOnlySpan<byte> body)
    {
        var sent = DeliveryJson.Parse(body, DeliveryJson.Default.KeycloakEventBody);
        return sent.OperationType is null
            ? Delivery.OfUser(null, DeliveryJson.RequiredText(sent.Type, "type"), sent.UserId, sent.Error)
            : Delivery.OfAdmin(
                null, DeliveryJson.RequiredText(sent.OperationType, "operationType"),
                DeliveryJson.RequiredText(sent.ResourceType, "resourceType"),
                sent.ResourcePath, sent.Error);
    }

    private static bool IsAdminEvent(BodyShape shape) => shape.HasAll(BodyMembers.OperationType) && shape.Type is null;

    // Other plugins send types such as USER-CREATE with the administrator as user: those must never be read as a user's own events.
    private static bool IsUserEvent(BodyShape shape) =>
        shape.Type is { } type && !type.Contains('.', StringComparison.Ordinal) && !type.Contains('-', StringComparison.Ordinal)
        && !shape.HasAny(OfAdminEvents);
}

/// <summary>The members that the bridge reads. authDetails is left out: it is the acting administrator.</summary>
internal sealed record KeycloakEventBody(
    string? Type, string? UserId, string? OperationType, string? ResourceType, string? ResourcePath, string? Error);
