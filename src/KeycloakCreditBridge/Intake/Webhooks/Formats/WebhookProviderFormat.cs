namespace KeycloakCreditBridge.Intake.Webhooks.Formats;

/// <summary>
/// Bodies of monte97's `webhook-provider`: types as Phase Two's, the user of a user event at the top, and no name of the realm.
/// </summary>
internal static class WebhookProviderFormat
{
    public static bool Fits(BodyShape shape) => shape.HasAll(BodyMembers.Uid | BodyMembers.OccurredAt);

    /// <exception cref="MalformedDeliveryException">The body is not one event as JSON.</exception>
    public static Delivery Read(ReadOnlySpan<byte> body)
    {
        var sent = DeliveryJson.Parse(body, DeliveryJson.Default.WebhookProviderBody);
        var type = DeliveryJson.RequiredText(sent.Type, "type");
        if (type.StartsWith(PhaseTwoFormat.UserPrefix, StringComparison.Ordinal))
            return Delivery.OfUser(null, type[PhaseTwoFormat.UserPrefix.Length..], sent.UserId, sent.Error);
        return type.StartsWith(PhaseTwoFormat.AdminPrefix, StringComparison.Ordinal)
            ? Delivery.OfAdmin(null, type[PhaseTwoFormat.AdminPrefix.Length..], sent.ResourcePath, sent.Error)
            : new Delivery(null, null, null);
    }
}

/// <summary>The members that the bridge reads.</summary>
internal sealed record WebhookProviderBody(string? Type, string? UserId, string? ResourcePath, string? Error);
