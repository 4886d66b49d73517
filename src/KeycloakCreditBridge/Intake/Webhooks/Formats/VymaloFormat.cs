namespace KeycloakCreditBridge.Intake.Webhooks.Formats;

/// <summary>
/// Bodies of vymalo's `webhook-http`. A type such as USER-CREATE is an admin event's, and userId is then the acting administrator; the user
/// concerned is in resourcePath alone. Neither kind names its realm.
/// </summary>
internal static class VymaloFormat
{
    private const BodyMembers Needed = BodyMembers.RealmId | BodyMembers.Time;

    private const BodyMembers Foreign =
        BodyMembers.Uid | BodyMembers.EventId | BodyMembers.OccurredAt | BodyMembers.AuthDetails | BodyMembers.OperationType;

    public static bool Fits(BodyShape shape) =>
        shape.HasAll(Needed) && !shape.HasAny(Foreign) && shape.Type is { } type && !type.Contains('.', StringComparison.Ordinal);

    /// <exception cref="MalformedDeliveryException">The body is not one event as JSON.</exception>
    public static Delivery Read(ReadOnlySpan<byte> body)
    {
        var sent = DeliveryJson.Parse(body, DeliveryJson.Default.VymaloBody);
        var type = DeliveryJson.RequiredText(sent.Type, "type");
        return type.Contains('-', StringComparison.Ordinal) || sent.ResourcePath is not null
            ? Delivery.OfAdmin(null, type, sent.ResourcePath, sent.Error)
            : Delivery.OfUser(null, type, sent.UserId, sent.Error);
    }
}

/// <summary>The members that the bridge reads.</summary>
internal sealed record VymaloBody(string? Type, string? UserId, string? ResourcePath, string? Error);
