using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace KeycloakCreditBridge.Intake.Webhooks.Formats;

/// <summary>Reads the bodies of all formats; members that the bridge does not need are passed over.</summary>
// Of two values under one name another reader may take the other one.
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(PhaseTwoBody))]
[JsonSerializable(typeof(KeycloakEventBody))]
[JsonSerializable(typeof(WebhookProviderBody))]
[JsonSerializable(typeof(VymaloBody))]
[JsonSerializable(typeof(EventForwarderBody))]
[JsonSerializable(typeof(CloudEventBody))]
internal sealed partial class DeliveryJson : JsonSerializerContext
{
    /// <exception cref="MalformedDeliveryException">The body is not one JSON object with members of the right kinds.</exception>
    public static T Parse<T>(ReadOnlySpan<byte> body, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(body, type)
                ?? throw new MalformedDeliveryException("The body is null and not a JSON object.");
        }
        catch (JsonException exception)
        {
            throw new MalformedDeliveryException(Explain(exception));
        }
    }

    /// <summary>The value of a member that must be there and that reaches tables and logs.</summary>
    /// <exception cref="MalformedDeliveryException">It is missing, empty or not printable.</exception>
    public static string RequiredText(string? value, string member)
    {
        if (string.IsNullOrEmpty(value))
            throw new MalformedDeliveryException($"The body has no '{member}'.");
        return value.Any(char.IsControl)
            ? throw new MalformedDeliveryException($"The body's '{member}' contains a control character.")
            : value;
    }

    private static string Explain(JsonException exception)
    {
        var place = $"(line {exception.LineNumber + 1}, byte {exception.BytePositionInLine})";
        return exception.Path is null or "$"
            ? $"The body is not one JSON object {place}."
            : $"The body is malformed at {exception.Path} {place}.";
    }
}
