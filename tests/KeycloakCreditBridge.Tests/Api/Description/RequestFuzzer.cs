using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Tests.Api.Description;

/// <summary>Makes values that fit a schema and values that do not, always the same ones for a seed.</summary>
[SuppressMessage("Security", "CA5394", Justification = "A test that is repeated has to send the same requests.")]
internal sealed class RequestFuzzer(DocumentSchema schemas, int seed)
{
    private static readonly Rune[] Letters = [.. "abcdefghijklmnopqrstuvwxyz0123456789-_.~ äß漢🙂'\"\\<>&%".EnumerateRunes()];

    private readonly Random _random = new(seed);

    public int Below(int limit) => _random.Next(limit);

    public T Pick<T>(params IReadOnlyList<T> choices) => choices[_random.Next(choices.Count)];

    /// <summary>A value that fits.</summary>
    public JsonNode? Valid(JsonNode declared)
    {
        var schema = schemas.Resolve(declared);
        if (schema["oneOf"] is JsonArray ways)
            return Valid(ways[Below(ways.Count)]!);
        if (schema["enum"] is JsonArray values)
            return values[Below(values.Count)]?.DeepClone();
        if (schema["type"] is not { } types)
            return Anything(2);
        return Pick([.. DocumentSchema.TypesOf(types)]) switch
        {
            "null" => null,
            "boolean" => Below(2) == 0,
            "integer" => Below(Math.Min((int?)schema["maximum"] ?? 1_000, 1_000)) + ((int?)schema["minimum"] ?? 0),
            "number" => Below(1_000) / 8m,
            "array" => new JsonArray([.. Enumerable.Range(0, 1 + Below(2)).Select(_ => Valid(schema["items"]!))]),
            "object" => ValidObject(schema),
            _ => ValidText(schema),
        };
    }

    /// <summary>A body that fits, with one thing about it changed.</summary>
    public JsonNode? Invalid(JsonNode declared)
    {
        var body = Valid(declared);
        if (body is not JsonObject { Count: > 0 } members || Below(8) == 0)
            return Anything(2);
        var name = Pick([.. members.Select(member => member.Key)]);
        switch (Below(4))
        {
            case 0:
                members.Remove(name);
                break;
            case 1:
                members[name] = Text(1 + Below(9_000));
                break;
            case 2:
                members[Text(5)] = Anything(1);
                break;
            default:
                members[name] = Anything(3);
                break;
        }

        return members;
    }

    /// <summary>Text of strange letters.</summary>
    public string Text(int length) =>
        string.Concat(Enumerable.Range(0, length).Select(_ => Pick(Letters).ToString()));

    private string Id()
    {
        var bytes = new byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes).ToString();
    }

    private JsonObject ValidObject(JsonObject schema)
    {
        var required = schema["required"]?.AsArray().Select(name => (string)name!) ?? [];
        var made = new JsonObject();
        foreach (var (name, type) in schema["properties"]?.AsObject() ?? [])
            if (required.Contains(name) || Below(2) == 0)
                made[name] = Valid(type!);
        if (schema["additionalProperties"] is { } others && Below(2) == 0)
            made["more"] = Valid(others);
        return made;
    }

    private string ValidText(JsonObject schema) => (string?)schema["format"] switch
    {
        "date-time" => DateTimeOffset.UnixEpoch.AddDays(Below(20_000)).ToString("O", CultureInfo.InvariantCulture),
        "uuid" => Id(),
        _ when (string?)schema["pattern"] is ['^', '(', .. var choices, ')', '$'] => Pick(choices.Split('|')),
        _ when schema["pattern"] is not null => string.Create(CultureInfo.InvariantCulture, $"{1 + Below(50)}"),
        _ => Text(1 + Below(Math.Min((int?)schema["maxLength"] ?? 40, 40))),
    };

    private JsonNode? Anything(int depth) => Below(depth > 0 ? 9 : 7) switch
    {
        0 => null,
        1 => Below(2) == 0,
        2 => Below(1_000) - 500,
        3 => JsonNode.Parse(Pick("1e400", "-0", "1e-9", "99999999999999999999999", "0.1234567")),
        4 => Pick("", "\0", "2026-13-01", "NaN", "-1", "1e3", " 5", "null", "true"),
        5 => Text(Below(300)),
        6 => Id(),
        7 => new JsonArray([.. Enumerable.Range(0, Below(3)).Select(_ => Anything(depth - 1))]),
        _ => new JsonObject { [Text(3)] = Anything(depth - 1) },
    };
}
