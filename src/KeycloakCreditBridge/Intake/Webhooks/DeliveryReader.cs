using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Intake.Webhooks;

/// <summary>Reads a body in the format that it has.</summary>
internal static class DeliveryReader
{
    // Keycloak's events come before vymalo's: user events of both look the same and mean the same.
    private static readonly WebhookFormat[] Recognizable =
    [
        WebhookFormat.CloudEvents,
        WebhookFormat.EventForwarder,
        WebhookFormat.WebhookProvider,
        WebhookFormat.KeycloakEvents,
        WebhookFormat.Vymalo,
    ];

    /// <param name="body">The body of an authenticated sender.</param>
    /// <param name="envelope">How the headers carry it.</param>
    /// <param name="pinned">The only format that will do, or null when any will.</param>
    /// <exception cref="MalformedDeliveryException">The body is not in the pinned format, or not one event as JSON.</exception>
    public static Delivery Read(ReadOnlySpan<byte> body, Envelope envelope, WebhookFormat? pinned)
    {
        var shape = BodyShape.Of(body);
        var found = envelope == Envelope.None ? FormatOf(shape) : WebhookFormat.CloudEvents;
        if (pinned is { } only && only != found && (found == WebhookFormat.CloudEvents || !Fits(only, shape)))
        {
            throw new MalformedDeliveryException(
                $"The body is not in the format {only}, which is configured for this realm. It looks like {found}.");
        }

        return found == WebhookFormat.CloudEvents
            ? ReadData(envelope == Envelope.Binary ? body : CloudEvent.DataOf(body)) with { Format = found }
            : Read(body, pinned ?? found) with { Format = pinned ?? found };
    }

    /// <summary>The format of a body of this shape. A shape of no other format is Phase Two's, whose events can be of any type.</summary>
    public static WebhookFormat FormatOf(BodyShape shape)
    {
        foreach (var format in Recognizable)
            if (Fits(format, shape))
                return format;
        return WebhookFormat.PhaseTwo;
    }

    private static Delivery ReadData(ReadOnlySpan<byte> data)
    {
        var format = FormatOf(BodyShape.Of(data));
        return format == WebhookFormat.CloudEvents
            ? throw new MalformedDeliveryException("The body is a CloudEvent inside another.")
            : Read(data, format);
    }

    private static bool Fits(WebhookFormat format, BodyShape shape) => format switch
    {
        WebhookFormat.CloudEvents => shape.HasAll(BodyMembers.SpecVersion),
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
