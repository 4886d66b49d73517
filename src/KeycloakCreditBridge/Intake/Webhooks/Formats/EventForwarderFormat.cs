namespace KeycloakCreditBridge.Intake.Webhooks.Formats;

/// <summary>
/// Bodies of edereagzi's `event-forwarder`, whose `source` is the kind of event. Only user events name their realm.
/// </summary>
internal static class EventForwarderFormat
{
    public static bool Fits(BodyShape shape) => shape.HasAll(BodyMembers.EventId | BodyMembers.Source);

    /// <exception cref="MalformedDeliveryException">The body is not one event as JSON.</exception>
    public static Delivery Read(ReadOnlySpan<byte> body)
    {
        var sent = DeliveryJson.Parse(body, DeliveryJson.Default.EventForwarderBody);
        return DeliveryJson.RequiredText(sent.Source, "source") switch
        {
            "USER_EVENT" => Delivery.OfUser(sent.RealmName, DeliveryJson.RequiredText(sent.Type, "type"), sent.UserId, sent.Error),
            "ADMIN_EVENT" => Delivery.OfAdmin(
                sent.RealmName, DeliveryJson.RequiredText(sent.OperationType, "operationType"),
                DeliveryJson.RequiredText(sent.ResourceType, "resourceType"), sent.ResourcePath, sent.Error),
            _ => new Delivery(sent.RealmName, null, null),
        };
    }
}

/// <summary>The members that the bridge reads. auth is left out: it is the acting administrator.</summary>
internal sealed record EventForwarderBody(
    string? Source,
    string? RealmName,
    string? Type,
    string? UserId,
    string? OperationType,
    string? ResourceType,
    string? ResourcePath,
    string? Error);
