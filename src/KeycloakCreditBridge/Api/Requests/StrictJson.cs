using System.Text.Json;
using KeycloakCreditBridge.Api.Problems;

namespace KeycloakCreditBridge.Api.Requests;

/// <summary>Parses JSON that PostgreSQL can keep as it is: valid text, and no name twice.</summary>
internal static class StrictJson
{
    // Of two values under one name this would read the first and the database would keep the last.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <exception cref="RequestRefusedException">It is not an object, or not valid.</exception>
    public static JsonElement ParseObject(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, Strict);
            ReadText(document.RootElement);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new RequestRefusedException(StatusCodes.Status400BadRequest, "The body is not a JSON object.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new RequestRefusedException(StatusCodes.Status400BadRequest, "The body is not JSON, or names a field twice.");
        }
    }

    // The parser does not check text. Reading it finds half surrogate pairs and bytes that are not UTF-8.
    private static void ReadText(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                _ = value.GetString();
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                    ReadText(item);
                break;
            case JsonValueKind.Object:
                foreach (var property in value.EnumerateObject())
                {
                    _ = property.Name;
                    ReadText(property.Value);
                }

                break;
        }
    }
}
