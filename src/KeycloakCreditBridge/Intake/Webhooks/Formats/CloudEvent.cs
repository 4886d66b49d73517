using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Intake.Webhooks.Formats;

/// <summary>How a request carries its event.</summary>
internal enum Envelope
{
    /// <summary>The body is the plugin's.</summary>
    None,

    /// <summary>The body is the plugin's, and headers describe a CloudEvent.</summary>
    Binary,

    /// <summary>The body is a CloudEvent as JSON, whose data is the plugin's body.</summary>
    Structured,
}

/// <summary>
/// CloudEvents 1.0 over HTTP. The envelope is checked and thrown away: the event is read from the data alone, as a signature of the body
/// does not cover the headers.
/// </summary>
internal static class CloudEvent
{
    public const string MediaType = "application/cloudevents+json";

    private const string SpecVersion = "1.0";

    /// <exception cref="MalformedDeliveryException">The headers begin a CloudEvent and do not complete it.</exception>
    public static Envelope EnvelopeOf(IHeaderDictionary headers)
    {
        if (MediaTypeHeaderValue.TryParse(headers.ContentType, out var type)
            && MediaType.Equals(type.MediaType, StringComparison.OrdinalIgnoreCase))
        {
            return Envelope.Structured;
        }

        if (headers["ce-specversion"].Count == 0)
            return Envelope.None;
        if (headers["ce-specversion"] != SpecVersion)
            throw new MalformedDeliveryException($"The header ce-specversion is not {SpecVersion}.");
        foreach (var name in (ReadOnlySpan<string>)["ce-id", "ce-source", "ce-type"])
            if (headers[name] is not [{ Length: > 0 }])
                throw new MalformedDeliveryException($"The header {name} is missing, empty or doubled.");
        return Envelope.Binary;
    }

    /// <summary>The data of a structured CloudEvent.</summary>
    /// <exception cref="MalformedDeliveryException">The body is no complete CloudEvent with JSON as data.</exception>
    public static ReadOnlySpan<byte> DataOf(ReadOnlySpan<byte> body)
    {
        var sent = DeliveryJson.Parse(body, DeliveryJson.Default.CloudEventBody);
        if (sent.SpecVersion != SpecVersion)
            throw new MalformedDeliveryException($"The body's 'specversion' is not {SpecVersion}.");
        DeliveryJson.RequiredText(sent.Id, "id");
        DeliveryJson.RequiredText(sent.Source, "source");
        DeliveryJson.RequiredText(sent.Type, "type");
        var data = FindData(body, out var isPresent);
        if (sent.DataBase64 is { } encoded)
            return isPresent ? throw new MalformedDeliveryException("The body has both 'data' and 'data_base64'.") : encoded;
        return !data.IsEmpty ? data : throw new MalformedDeliveryException("The body's 'data' is not a JSON object.");
    }

    // A slice of the body, which can be long: a copy would be needed for nothing else.
    private static ReadOnlySpan<byte> FindData(ReadOnlySpan<byte> body, out bool isPresent)
    {
        var reader = new Utf8JsonReader(body);
        reader.Read();
        ReadOnlySpan<byte> data = [];
        isPresent = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isFound = reader.ValueTextEquals("data"u8);
            reader.Read();
            var (start, token) = ((int)reader.TokenStartIndex, reader.TokenType);
            reader.Skip();
            if (!isFound || token == JsonTokenType.Null)
                continue;
            if (isPresent)
                throw new MalformedDeliveryException("The body has 'data' twice.");
            isPresent = true;
            if (token == JsonTokenType.StartObject)
                data = body[start..(int)reader.BytesConsumed];
        }

        return data;
    }
}

/// <summary>The members that the bridge reads; data is taken from the body as it is.</summary>
internal sealed record CloudEventBody(
    [property: JsonPropertyName("specversion")] string? SpecVersion,
    string? Id,
    string? Source,
    string? Type,
    [property: JsonPropertyName("data_base64")] byte[]? DataBase64);
