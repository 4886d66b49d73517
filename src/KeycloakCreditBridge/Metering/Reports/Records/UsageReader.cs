using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Metering.Reports.Records;

/// <summary>Reads what LiteLLM's generic API callback sends: an array of records, one record, or one on each line.</summary>
internal static class UsageReader
{
    private const int MaxUserIdLength = 500;
    private const int MaxNameLength = 200;
    private const int MaxMetadataLength = 500;
    private const decimal MaxCost = 100_000m;

    /// <summary>Whether a body may hold records at all; each of them is checked later.</summary>
    public static bool MayHoldRecords(ReadOnlySpan<byte> body)
    {
        var start = body.TrimStart(" \t\r\n"u8);
        return start.Length > 0 && start[0] is (byte)'[' or (byte)'{';
    }

    /// <summary>Whether a body holds more records than this.</summary>
    public static bool HoldsMoreThan(int most, ReadOnlyMemory<byte> body) => LenientJson.SplitRecords(body).Skip(most).Any();

    public static Usage Read(ReadOnlyMemory<byte> body)
    {
        var usage = new Usage();
        if (!TryAdd(body, usage))
        {
            foreach (var part in LenientJson.SplitRecords(body).Where(part => !TryAdd(part, usage)))
                usage.Refused.Add(
                    new RefusedRecord(part.ToArray(), $"It is no JSON, or nested deeper than {LenientJson.MaxDepth} levels."));
        }

        return usage;
    }

    /// <summary>A body that holds these records as they came.</summary>
    public static byte[] Join(IEnumerable<UsageRecord> records) =>
        [.. "["u8, .. records.SelectMany((record, index) => index == 0 ? record.Raw : [(byte)',', .. record.Raw]), .. "]"u8];

    private static bool TryAdd(ReadOnlyMemory<byte> json, Usage usage)
    {
        using var document = LenientJson.TryParse(json);
        if (document is null)
            return false;
        if (document.RootElement.ValueKind == JsonValueKind.Array)
            foreach (var item in document.RootElement.EnumerateArray())
                Add(item, usage);
        else
            Add(document.RootElement, usage);
        return true;
    }

    private static void Add(JsonElement element, Usage usage)
    {
        var raw = JsonMarshal.GetRawUtf8Value(element).ToArray();
        try
        {
            if (element.ValueKind != JsonValueKind.Object)
                throw new FormatException("It is no object.");
            // A record without it is not LiteLLM's, and may be a call that failed.
            var status = element.Text("status") ?? throw new FormatException("The field status is missing.");
            if (Kind(element) is var kind && kind == RecordKind.Read)
                usage.Unbilled++;
            else if (status == "success" || (status == "failure" && element.Number("response_cost") > 0m))
                usage.Records.Add(Record(element, kind, status == "failure", raw));
        }
        catch (FormatException exception)
        {
            usage.Refused.Add(new RefusedRecord(raw, exception.Message));
        }
        // Thrown where members are searched, which reads their names.
        catch (InvalidOperationException)
        {
            usage.Refused.Add(new RefusedRecord(raw, "The name of a field has half a surrogate pair, which is no text."));
        }
    }

    private static RecordKind Kind(JsonElement element)
    {
        var isBackground = element.Object("response") is { } response && response.IsTrue("background");
        // Without an identity of the response each reading would be charged: its creation is, and readings are free.
        return CallTypes.KindOf(element.Text("call_type"), isBackground && RecordIdentity.OfObject(element) is not null);
    }

    private static UsageRecord Record(JsonElement element, RecordKind kind, bool isFailure, byte[] raw)
    {
        var isObject = kind == RecordKind.ProviderObject;
        var cost = Cost(element);
        return new UsageRecord(
            (isObject ? RecordIdentity.OfObject(element) : null) ?? RecordIdentity.OfCall(element),
            UserId(element.Object("metadata")?.Text("user_api_key_user_id")),
            cost,
            Tokens(element),
            element.IsTrue("cache_hit"),
            Name(element.Text("model"), MaxNameLength),
            Name(element.Text("custom_llm_provider"), MaxNameLength / 2),
            LedgerMetadata(element, isFailure),
            raw)
        {
            ModelGroup = Name(element.Text("model_group"), MaxNameLength),
            IsObject = isObject,
            IsPending = isObject && cost is not > 0m && !CallTypes.IsFinal(element.Object("response")?.Text("status")),
            IsFailure = isFailure,
            EndedAt = EndedAt(element),
        };
    }

    private static string LedgerMetadata(JsonElement element, bool isFailure)
    {
        var kept = new JsonObject { ["source"] = "litellm" };
        if (Name(element.Identifier("id"), MaxMetadataLength) is { } id)
            kept["record_id"] = id;
        foreach (var field in (string[])["litellm_call_id", "model_group", "call_type"])
            if (Name(element.Text(field), MaxMetadataLength) is { } text)
                kept[field] = text;
        foreach (var field in (string[])["response_cost", "prompt_tokens", "completion_tokens", "endTime"])
            if (element.Number(field) is { } value)
                kept[field] = value;
        if (isFailure)
            kept["status"] = "failure";
        return kept.ToJsonString();
    }

    private static string UserId(string? text) => text switch
    {
        null or "" => throw new FormatException("The field metadata.user_api_key_user_id is missing."),
        { Length: > MaxUserIdLength } =>
            throw new FormatException($"The field metadata.user_api_key_user_id is longer than {MaxUserIdLength} characters."),
        _ when text.Contains('\0', StringComparison.Ordinal) =>
            throw new FormatException("The field metadata.user_api_key_user_id holds a zero character."),
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
        return element.Number("response_cost") is { } cost and >= 0 and <= MaxCost
            ? cost
            : throw new FormatException($"The field response_cost is not a number from 0 to {MaxCost}.");
    }

    private static int? Tokens(JsonElement element)
    {
        if (!element.TryGetProperty("total_tokens", out var given) || given.ValueKind == JsonValueKind.Null)
            return 0;
        return element.Number("total_tokens") is { } tokens and >= 0 and <= int.MaxValue
            ? (int)decimal.Round(tokens, MidpointRounding.AwayFromZero)
            : null;
    }

    private static DateTimeOffset? EndedAt(JsonElement element) => element.Number("endTime") is { } seconds and >= 0 and < 100_000_000_000m
        ? DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds * 1_000m))
        : null;
}
