namespace KeycloakCreditBridge.Intake.Webhooks.Formats;

/// <summary>
/// Bodies of Phase Two's `ext-event-webhook`. Their type names the kind of event: `access.REGISTER` is a user event,
/// `admin.USER-CREATE` an admin event of resource type USER and operation CREATE, all others (`system.*`, custom ones) are no users'.
/// </summary>
internal static class PhaseTwoFormat
{
    public const string UserPrefix = "access.";
    public const string AdminPrefix = "admin.";

    /// <exception cref="MalformedDeliveryException">The body is not one event as JSON.</exception>
    public static Delivery Read(ReadOnlySpan<byte> body)
    {
        var sent = DeliveryJson.Parse(body, DeliveryJson.Default.PhaseTwoBody);
        var type = DeliveryJson.RequiredText(sent.Type, "type");
        if (type.StartsWith(UserPrefix, StringComparison.Ordinal))
            return Delivery.OfUser(sent.RealmName, type[UserPrefix.Length..], sent.AuthDetails?.UserId, sent.Error);
        return type.StartsWith(AdminPrefix, StringComparison.Ordinal)
            ? Delivery.OfAdmin(sent.RealmName, type[AdminPrefix.Length..], sent.ResourcePath, sent.Error)
            : new Delivery(sent.RealmName, null, null);
    }
}

/// <summary>
/// The members of a body that the bridge reads. authDetails is the user of a user event, and the acting administrator of an admin event.
/// </summary>
internal sealed record PhaseTwoBody(
    string? Type, string? RealmName, string? Error, string? ResourcePath, PhaseTwoAuthDetails? AuthDetails);

internal sealed record PhaseTwoAuthDetails(string? UserId);
