using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Sandbox.Emulator.Events;
using KeycloakCreditBridge.Sandbox.Emulator.Webhooks;

namespace KeycloakCreditBridge.Sandbox.Emulator.Http;

/// <summary>JSON as Keycloak writes it: compact, without nulls, with minimal escaping.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(IReadOnlyList<UserEvent>))]
[JsonSerializable(typeof(IReadOnlyList<AdminEvent>))]
[JsonSerializable(typeof(EventsConfig))]
[JsonSerializable(typeof(WebhookBody))]
internal sealed partial class EmulatorJson : JsonSerializerContext
{
    public static JsonSerializerOptions Readable { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static EmulatorJson AsKeycloak { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    /// <summary>Reads a request body; anything but JSON of the wanted kind is refused as Keycloak does.</summary>
    public static async Task<T> ReadAsync<T>(HttpContext context)
        where T : JsonNode
    {
        try
        {
            return await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted) as T
                ?? throw new JsonException();
        }
        catch (JsonException)
        {
            throw RefusalException.Error(StatusCodes.Status400BadRequest, "invalid_request", "Cannot parse the JSON");
        }
    }
}
