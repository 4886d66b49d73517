using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Chaos.Fuzzing.Bodies;

/// <summary>Sound bodies, from which fuzzed ones are made: recorded ones of real senders, and one of each kind that callers send.</summary>
internal static class Corpus
{
    private const string Suffix = ".fixture";

    private static readonly string[] Requests =
    [
        """{"user_id":"4b7a","amount":"12.5","reason":"refund","metadata":{"order":7,"note":["a",{"b":null}]},"allow_negative":true}""",
        """{"user_id":"4b7a","service":"chat","cost":0.000125,"tokens":1200,"expires_at":"2027-01-31T08:00:00Z"}""",
        """{"refunds":"3f0e7f3c-6a0e-4b8b-9a4e-8b8f5f1f2d11","user_ids":["a","b"],"code":"SPRING-2027-ABCD","new_tier":"starter"}""",
    ];

    private static readonly string[] Questions =
    [
        """{"input_type":"request","request_data":{"user_api_key_user_id":"4b7a","model":"m"},"texts":["hello"],"tools":[{"a":[1]}]}""",
        """{"request_data":{"user_api_key_user_id":null,"user_api_key_alias":"team"},"images":[],"model":"m","x":NaN}""",
    ];

    private static readonly string[] Reports =
    [
        """
        [{"id":"chatcmpl-1","litellm_call_id":"c-1","call_type":"acompletion","status":"success","response_cost":0.0021,
        "total_tokens":120,"prompt_tokens":100,"completion_tokens":20,"model":"gpt-4o-mini","model_group":"mini",
        "custom_llm_provider":"openai","cache_hit":false,"startTime":1795406370.5,"endTime":1795406372.25,
        "metadata":{"user_api_key_user_id":"4b7a"},"response":{"id":"resp_1","background":true,"status":"completed"}},
        {"id":"batch_bGxtX2JhdGNoX2lkOmI3O3g=","call_type":"aretrieve_batch","status":"success","response_cost":NaN,
        "metadata":{"user_api_key_user_id":"u2"},"response":{"status":"in_progress"}}]
        """,
        """
        {"id":"a","status":"failure","response_cost":"0.5","total_tokens":"12","metadata":{"user_api_key_user_id":"u"}}
        {"id":7,"status":"success","startTime":1e9,"endTime":2e9,"metadata":{"user_api_key_user_id":"u"}}
        """,
    ];

    private static readonly string[] Errors =
    [
        """{"error":"invalid_client","error_description":"Invalid client or Invalid client credentials"}""",
        """{"errorMessage":"User name is missing","field":"username","params":[1]}""",
    ];

    private static readonly Dictionary<BodyKind, Seed[]> OfKinds = new()
    {
        [BodyKind.Delivery] = [.. Recorded().Select(Seed.Of)],
        [BodyKind.Request] = Of(Requests),
        [BodyKind.Question] = Of(Questions),
        [BodyKind.Report] = Of(Reports),
        [BodyKind.Error] = Of(Errors),
    };

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Seed> All { get; } = [.. OfKinds.Values.SelectMany(seeds => seeds)];

    public static IReadOnlyList<Seed> Of(BodyKind kind) => OfKinds[kind];

    private static Seed[] Of(string[] texts) => [.. texts.Select(text => Seed.Of(Encoding.UTF8.GetBytes(text)))];

    // Deliveries are lines with a text `body`; of lists of events each event is one body.
    private static IEnumerable<byte[]> Recorded()
    {
        var assembly = typeof(Corpus).Assembly;
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.EndsWith(Suffix, StringComparison.Ordinal)))
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            using var reader = new StreamReader(stream);
            var text = reader.ReadToEnd();
            foreach (var node in text.StartsWith('[') ? JsonNode.Parse(text)!.AsArray() : Lines(text))
                yield return Encoding.UTF8.GetBytes((string?)node!["body"] ?? node.ToJsonString());
        }
    }

    private static IEnumerable<JsonNode?> Lines(string text) =>
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line));
}

/// <summary>What sends a body.</summary>
internal enum BodyKind
{
    /// <summary>A webhook's or a broker's.</summary>
    Delivery,

    /// <summary>A caller's of the HTTP API.</summary>
    Request,

    /// <summary>A gateway's before a call.</summary>
    Question,

    /// <summary>A gateway's after calls.</summary>
    Report,

    /// <summary>Keycloak's, with a status that is none of success.</summary>
    Error,
}

/// <summary>A sound body and where its members stand.</summary>
/// <param name="Members">From the first quote of the name to the end of the value, and where the value begins.</param>
internal sealed record Seed(byte[] Body, IReadOnlyList<(int Start, int Value, int End)> Members)
{
    public static Seed Of(byte[] body)
    {
        List<(int, int, int)> members = [];
        var reader = new Utf8JsonReader(body);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName)
                    continue;
                var start = (int)reader.TokenStartIndex;
                var ahead = reader;
                ahead.Read();
                var value = (int)ahead.TokenStartIndex;
                ahead.Skip();
                members.Add((start, value, (int)ahead.BytesConsumed));
            }
        }
        catch (JsonException)
        {
            // What gateways send need not be JSON to its end.
        }

        return new Seed(body, members);
    }
}
