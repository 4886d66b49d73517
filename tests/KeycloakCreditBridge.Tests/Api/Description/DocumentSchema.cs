using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Tests.Api.Description;

/// <summary>Checks values against schemas of an OpenAPI document, as far as the bridge's document uses JSON Schema.</summary>
internal sealed class DocumentSchema(JsonNode document)
{
    // A keyword that is not checked would be a promise that no test holds.
    private static readonly string[] Known =
    [
        "type", "required", "properties", "items", "additionalProperties", "oneOf", "enum", "pattern", "format", "minimum", "maximum",
        "minLength", "maxLength", "minItems", "maxItems", "description", "$ref",
    ];

    /// <summary>The schema itself, or the one that it refers to.</summary>
    public JsonObject Resolve(JsonNode schema) => (string?)schema["$ref"] is { } reference
        ? Resolve(reference.Split('/').Skip(1).Aggregate(document, (node, name) => node[name]!))
        : schema.AsObject();

    /// <summary>What is wrong with a value, and where; null when it fits.</summary>
    public string? ProblemWith(JsonNode? value, JsonNode declared, string at = "$")
    {
        var schema = Resolve(declared);
        if (schema.Select(keyword => keyword.Key).Except(Known).FirstOrDefault() is { } unknown)
            return $"{at}: the schema has the unknown keyword {unknown}";
        var kind = value?.GetValueKind() ?? JsonValueKind.Null;
        if (schema["oneOf"] is JsonArray ways)
        {
            var fitting = ways.Count(way => ProblemWith(value, way!, at) is null);
            return fitting == 1 ? null : $"{at}: {fitting} alternatives fit {value?.ToJsonString()}";
        }

        if (schema["type"] is { } types && !TypesOf(types).Any(type => IsOf(type, kind, value)))
            return $"{at}: {value?.ToJsonString() ?? "null"} is not {types.ToJsonString()}";
        if (schema["enum"] is JsonArray values && !values.Any(allowed => JsonNode.DeepEquals(allowed, value)))
            return $"{at}: {value?.ToJsonString() ?? "null"} is none of {values.ToJsonString()}";
        return kind switch
        {
            // A schema without any keyword allows everything.
            _ when schema.Count == 0 => null,
            JsonValueKind.String => ProblemWithText((string)value!, schema, at),
            JsonValueKind.Number => ProblemWithNumber((decimal)value!, schema, at),
            JsonValueKind.Array => ProblemWithArray(value!.AsArray(), schema, at),
            JsonValueKind.Object => ProblemWithObject(value!.AsObject(), schema, at),
            _ => null,
        };
    }

    public static IEnumerable<string> TypesOf(JsonNode type) =>
        type is JsonArray several ? several.Select(one => (string)one!) : [(string)type!];

    private static bool IsOf(string type, JsonValueKind kind, JsonNode? value) => type switch
    {
        "null" => kind == JsonValueKind.Null,
        "boolean" => kind is JsonValueKind.True or JsonValueKind.False,
        "string" => kind == JsonValueKind.String,
        "number" => kind == JsonValueKind.Number,
        "integer" => kind == JsonValueKind.Number && decimal.IsInteger((decimal)value!),
        "array" => kind == JsonValueKind.Array,
        _ => kind == JsonValueKind.Object,
    };

    private static string? ProblemWithText(string text, JsonObject schema, string at) =>
        (string?)schema["pattern"] is { } pattern && !Regex.IsMatch(text, pattern) ? $"{at}: '{text}' does not match {pattern}"
        : (string?)schema["format"] == "date-time" && !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out _)
            ? $"{at}: '{text}' is no instant"
        : (string?)schema["format"] == "uuid" && !Guid.TryParseExact(text, "D", out _) ? $"{at}: '{text}' is no UUID"
        : text.Length < ((int?)schema["minLength"] ?? 0) || text.Length > ((int?)schema["maxLength"] ?? int.MaxValue)
            ? $"{at}: {text.Length} characters"
        : null;

    private static string? ProblemWithNumber(decimal number, JsonObject schema, string at) =>
        number < ((decimal?)schema["minimum"] ?? decimal.MinValue) || number > ((decimal?)schema["maximum"] ?? decimal.MaxValue)
            || ((string?)schema["format"] == "int32" && number is < int.MinValue or > int.MaxValue)
            ? $"{at}: {number} is out of bounds"
            : null;

    private string? ProblemWithArray(JsonArray array, JsonObject schema, string at) =>
        array.Count < ((int?)schema["minItems"] ?? 0) || array.Count > ((int?)schema["maxItems"] ?? int.MaxValue)
            ? $"{at}: {array.Count} items"
            : array.Select((item, index) => ProblemWith(item, schema["items"]!, $"{at}[{index}]"))
                .FirstOrDefault(problem => problem is not null);

    private string? ProblemWithObject(JsonObject value, JsonObject schema, string at)
    {
        var declared = schema["properties"]?.AsObject();
        if (schema["required"]?.AsArray().Select(name => (string)name!).FirstOrDefault(name => !value.ContainsKey(name)) is { } missing)
            return $"{at}: '{missing}' is missing";
        foreach (var (name, member) in value)
        {
            if ((declared?[name] ?? schema["additionalProperties"]) is not { } type)
                return $"{at}: '{name}' is not described";
            if (ProblemWith(member, type, $"{at}.{name}") is { } problem)
                return problem;
        }

        return null;
    }
}
