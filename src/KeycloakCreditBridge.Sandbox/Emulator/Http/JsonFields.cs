using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Emulator.Http;

/// <summary>Fields of a JSON body; a missing field is null.</summary>
internal static class JsonFields
{
    public static string? Text(this JsonObject body, string name) => (string?)body[name];

    /// <summary>Booleans also come as text in the plugin's documentation and in realm files with placeholders.</summary>
    public static bool? Flag(this JsonObject body, string name) => body[name] is JsonValue value ? value.ToString() is "true" : null;

    public static long? Number(this JsonObject body, string name) => (long?)body[name];

    public static IReadOnlyList<string>? Texts(this JsonObject body, string name) =>
        body[name] is JsonArray items ? [.. items.Select(item => item!.ToString())] : null;

    public static IEnumerable<JsonObject> Objects(this JsonObject body, string name) =>
        body[name] is JsonArray items ? items.OfType<JsonObject>() : [];
}
