using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Reads what LiteLLM's generic API callback sends: an array of records, one record, or one on each line.</summary>
internal static class UsageReader
{
    private const int MaxIdLength = 500;
    private const decimal MaxCost = 100_000m;

    /// <summary>Whether a body may hold records at all; what each of them is worth is seen later.</summary>
    public static bool MayHoldRecords(ReadOnlySpan<byte> body)
    {
        var start = body.TrimStart(" \t\r\n"u8);
        return start.Length > 0 && start[0] is (byte)'[' or (byte)'{';
    }

    /// <summary>Whether a body holds more records than this.</summary>
    public static bool HoldsMoreThan(int most, ReadOnlyMemory<byte> body) => LenientJson.SplitRecords(body).Skip(most).Any();

    public static Usage Read(ReadOnlyMemory<byte> body)
    {
        List<UsageRecord> records = [];
        List<RefusedRecord> refused = [];
        if (!TryAdd(body, records, refused))
        {
            foreach (var part in LenientJson.SplitRecords(body).Where(part => !TryAdd(part, records, refused)))
                refused.Add(new RefusedRecord(part.ToArray(), $"It is no JSON, or deeper than {LenientJson.MaxDepth}."));
        }

        return new Usage(records, refused);
    }

    /// <summary>A body that holds these records as they came.</summary>
    public static byte[] Join(IEnumerable<UsageRecord> records) =>
        [.. "["u8, .. records.SelectMany((record, index) => index == 0 ? record.Raw : [(byte)',', .. record.Raw]), .. "]"u8];

    private static bool TryAdd(ReadOnlyMemory<byte> json, List<UsageRecord> records, List<RefusedRecord> refused)
    {
        using var document = LenientJson.TryParse(json);
        if (document is not null)
            Add(document.RootElement, records, refused);
        return document is not null;
    }

    private static void Add(JsonElement element, List<UsageRecord> records, List<RefusedRecord> refused)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in element.EnumerateArray())
                AddOne(item, records, refused);
        }
        else
        {
            AddOne(element, records, refused);
        }
    }

    private static void AddOne(JsonElement element, List<UsageRecord> records, List<RefusedRecord> refused)
    {
        var raw = JsonMarshal.GetRawUtf8Value(element).ToArray();
        try
        {
            if (Record(element, raw) is { } record)
                records.Add(record);
        }
        // Text with half a surrogate pair cannot be read as text at all.
        catch (Exception exception) when (exception is FormatException or InvalidOperationException)
        {
            refused.Add(new RefusedRecord(raw, exception.Message));
        }
    }

    private static UsageRecord? Record(JsonElement element, byte[] raw)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw new FormatException("It is no object.");
        // What says nothing of it is no record of LiteLLM's, and may be a call that failed.
        if ((Text(element, "status") ?? throw new FormatException("The field status is missing.")) != "success")
            return null;
        var metadata = element.TryGetProperty("metadata", out var given) && given.ValueKind == JsonValueKind.Object ? given : default;
        return new UsageRecord(
            Occurrence(element),
            Identifier(metadata.ValueKind == JsonValueKind.Object ? Text(metadata, "user_api_key_user_id") : null, "metadata.user_api_key_user_id"),
            Cost(element),
            Tokens(element),
            element.TryGetProperty("cache_hit", out var hit) && hit.ValueKind == JsonValueKind.True,
            Name(Text(element, "model"), 200),
            Name(Text(element, "custom_llm_provider"), 100),
            LedgerMetadata(element),
            raw)
        {
            ModelGroup = Name(Text(element, "model_group"), 200),
        };
    }

    private static string Occurrence(JsonElement element)
    {
        var id = Identifier(Text(element, "id"), "id");
        return id == Text(element, "litellm_call_id") ? $"{id} {Number(element, "startTime")} {Number(element, "endTime")}" : id;
    }

    private static decimal? Number(JsonElement element, string field) =>
        element.TryGetProperty(field, out var number) ? number.TryGetDecimalOrNull() : null;

    private static string LedgerMetadata(JsonElement element)
    {
        var kept = new JsonObject { ["source"] = "litellm" };
        foreach (var field in (string[])["id", "litellm_call_id", "model_group", "call_type"])
            if (Name(Text(element, field), MaxIdLength) is { } text)
                kept[field == "id" ? "record_id" : field] = text;
        foreach (var field in (string[])["response_cost", "prompt_tokens", "completion_tokens", "endTime"])
            if (Number(element, field) is { } value)
                kept[field] = value;
        return kept.ToJsonString();
    }

    private static string Identifier(string? text, string field) => text switch
    {
        null or "" => throw new FormatException($"The field {field} is missing."),
        { Length: > MaxIdLength } => throw new FormatException($"The field {field} is longer than {MaxIdLength} characters."),
        _ when text.Contains('\0', StringComparison.Ordinal) => throw new FormatException($"The field {field} holds a zero character."),
        _ => text,
    };

    private static string? Name(string? text, int longest) =>
        text is null ? null : Shortened(text.Replace("\0", "", StringComparison.Ordinal), longest);

    // Half a character cannot be stored.
    private static string Shortened(string text, int longest) =>
        text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)];

    private static decimal? Cost(JsonElement element)
    {
        if (!element.TryGetProperty("response_cost", out var given) || given.ValueKind == JsonValueKind.Null)
            return null;
        return given.TryGetDecimalOrNull() is { } cost and >= 0 and <= MaxCost
            ? cost
            : throw new FormatException($"The field response_cost is not a number from 0 to {MaxCost}.");
    }

    private static int Tokens(JsonElement element)
    {
        if (!element.TryGetProperty("total_tokens", out var given) || given.ValueKind == JsonValueKind.Null)
            return 0;
        return given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out var tokens) && tokens >= 0
            ? tokens
            : throw new FormatException($"The field total_tokens is not a whole number from 0 to {int.MaxValue}.");
    }

    private static string? Text(JsonElement element, string field) =>
        element.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static decimal? TryGetDecimalOrNull(this JsonElement element) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetDecimal(out var value) ? value : null;
}
