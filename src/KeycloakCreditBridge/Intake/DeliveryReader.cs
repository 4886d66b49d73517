using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Intake;

/// <summary>Reads a body in the format that it has.</summary>
internal static class DeliveryReader
{
    // Keycloak's events come before vymalo's: user events of both look the same and mean the same.
    private static readonly WebhookFormat[] Distinct =
    [
        WebhookFormat.EventForwarder, WebhookFormat.WebhookProvider, WebhookFormat.KeycloakEvents, WebhookFormat.Vymalo,
    ];

    /// <param name="body">The body, whose sender is proven.</param>
    /// <param name="pinned">The only format that will do, or null when any will.</param>
    /// <exception cref="MalformedDeliveryException">The body is of another format than the pinned one, or not one event as JSON.</exception>
    public static Delivery Read(ReadOnlySpan<byte> body, WebhookFormat? pinned)
    {
        var shape = BodyShape.Of(body);
        if (pinned is { } only && !Fits(only, shape))
        {
            throw new MalformedDeliveryException(
                $"The body is not in the format {only}, which is configured for this realm. It looks like {FormatOf(shape)}.");
        }

        return Read(body, pinned ?? FormatOf(shape));
    }

    /// <summary>The format that a body of this shape has. What looks like no other is Phase Two's, which can hold events of any type.</summary>
    public static WebhookFormat FormatOf(BodyShape shape)
    {
        foreach (var format in Distinct)
            if (Fits(format, shape))
                return format;
        return WebhookFormat.PhaseTwo;
    }

    private static bool Fits(WebhookFormat format, BodyShape shape) => format switch
    {
        WebhookFormat.KeycloakEvents => KeycloakEventFormat.Fits(shape),
        WebhookFormat.WebhookProvider => WebhookProviderFormat.Fits(shape),
        WebhookFormat.Vymalo => VymaloFormat.Fits(shape),
        WebhookFormat.EventForwarder => EventForwarderFormat.Fits(shape),
        _ => FormatOf(shape) == WebhookFormat.PhaseTwo,
    };

    private static Delivery Read(ReadOnlySpan<byte> body, WebhookFormat format) => format switch
    {
        WebhookFormat.KeycloakEvents => KeycloakEventFormat.Read(body),
        WebhookFormat.WebhookProvider => WebhookProviderFormat.Read(body),
        WebhookFormat.Vymalo => VymaloFormat.Read(body),
        WebhookFormat.EventForwarder => EventForwarderFormat.Read(body),
        _ => PhaseTwoFormat.Read(body),
    };
}
