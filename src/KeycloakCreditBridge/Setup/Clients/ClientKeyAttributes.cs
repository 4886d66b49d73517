using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak.ClientKeys;

namespace KeycloakCreditBridge.Setup.Clients;

/// <summary>The attributes of a client in Keycloak that hold the public keys of its signed statements (its page "Keys").</summary>
internal static class ClientKeyAttributes
{
    private const string UsesList = "use.jwks.string";
    private const string UsesUrl = "use.jwks.url";
    private const string List = "jwks.string";
    private const string Certificate = "jwt.credential.certificate";
    private const string Single = "jwt.credential.public.key";
    private const string Algorithm = "token.endpoint.auth.signing.alg";

    // The one in use and the one that replaces it.
    private const int MaxOwnKeys = 2;

    /// <summary>Whether the client takes what the key signs.</summary>
    public static bool Accepts(JsonObject client, ClientKey key) =>
        Text(client, UsesList) == "true" && Keys(client).Any(known => (string?)known["kid"] == key.Id) && IsAlgorithmFree(client, key);

    /// <summary>Whether the key can be added and all that the client takes stays good.</summary>
    public static bool CanAdd(JsonObject client, ClientKey key) =>
        IsAlgorithmFree(client, key)
        && Text(client, UsesUrl) != "true"
        && (Text(client, UsesList) == "true" || (Text(client, Certificate).Length == 0 && Text(client, Single).Length == 0));

    /// <summary>
    /// The attributes with the key first. An earlier key stays, so that the bridge may go on with it until its file is replaced.
    /// </summary>
    /// <param name="client">The client as Keycloak has it; null for a new one.</param>
    /// <param name="key">The key to add.</param>
    /// <param name="keepsAll">Whether all earlier keys stay and not the latest alone.</param>
    public static JsonObject With(JsonObject? client, ClientKey key, bool keepsAll)
    {
        var earlier = client is null || Text(client, UsesList) != "true"
            ? []
            : Keys(client).Where(known => (string?)known["kid"] != key.Id).Select(known => known.DeepClone());
        var attributes = new JsonObject
        {
            [UsesList] = "true",
            [UsesUrl] = "false",
            [List] = Set([key.PublicKey(), .. keepsAll ? earlier : earlier.Take(MaxOwnKeys - 1)]),
        };
        if (!keepsAll)
            attributes[Algorithm] = key.Algorithm;
        return attributes;
    }

    /// <summary>The attributes without these keys.</summary>
    public static JsonObject Without(JsonObject client, IReadOnlyCollection<string> ids) =>
        new() { [List] = Set(Keys(client).Where(known => !ids.Contains((string?)known["kid"] ?? "")).Select(known => known.DeepClone())) };

    private static bool IsAlgorithmFree(JsonObject client, ClientKey key) =>
        Text(client, Algorithm) is var set && (set.Length == 0 || set == "any" || set == key.Algorithm);

    private static string Set(IEnumerable<JsonNode> keys) => new JsonObject { ["keys"] = new JsonArray([.. keys]) }.ToJsonString();

    private static IEnumerable<JsonObject> Keys(JsonObject client)
    {
        try
        {
            return JsonNode.Parse(Text(client, List) is { Length: > 0 } set ? set : "{}")?["keys"] is JsonArray keys
                ? keys.OfType<JsonObject>()
                : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    private static string Text(JsonObject client, string attribute) => (string?)client["attributes"]?[attribute] ?? "";
}
