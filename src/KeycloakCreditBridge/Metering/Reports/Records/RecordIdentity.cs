using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace KeycloakCreditBridge.Metering.Reports.Records;

/// <summary>What makes a record the same when it is delivered again.</summary>
/// <param name="Key">Unique per user; unique among all users where it is shared.</param>
/// <param name="ByIdAlone">The key that releases gave the record that knew calls by their id alone; null where it is the same key.</param>
internal sealed record RecordIdentity(string Key, string? ByIdAlone)
{
    /// <summary>The identity of an object of the provider, which any user may read.</summary>
    public bool IsShared { get; init; }

    // The index takes no more, and callers choose the length of their call ids.
    private const int MaxKeyBytes = 600;

    // Ids of providers are shorter; an encrypted one is longer, and another one in each record.
    private const int MaxObjectIdLength = 64;
    private const string BatchCostSuffix = "_batch_cost";
    private const string ResponsePrefix = "resp_";

    private static readonly string[] Prefixes = [ResponsePrefix, "batch_"];
    private static readonly string[] WrappedIds = ["response_id:", "llm_batch_id:"];

    /// <summary>The identity of a call. Neither id is unique: providers number answers anew, and callers choose call ids.</summary>
    /// <exception cref="FormatException">Nothing tells the call from others.</exception>
    public static RecordIdentity OfCall(JsonElement record)
    {
        var (id, callId) = (record.Identifier("id"), record.Identifier("litellm_call_id"));
        var (start, end) = (Time(record, "startTime"), Time(record, "endTime"));
        if (id is null && callId is null)
        {
            return start is not null && end is not null
                ? new RecordIdentity($"at {start} {end}", null)
                : throw new FormatException("The fields id and litellm_call_id are missing: report at least one of them.");
        }

        var key = string.Join(' ', ((string?[])[id, callId, start ?? end]).OfType<string>());
        var byIdAlone = id is null ? null : id == callId ? $"{id} {record.Number("startTime")} {record.Number("endTime")}" : id;
        return new RecordIdentity(Shortened(key), byIdAlone == key || byIdAlone is null ? null : Shortened(byIdAlone));
    }

    /// <summary>
    /// The identity of an object of the provider, or null where the record has no id that other records of the object have too.
    /// </summary>
    public static RecordIdentity? OfObject(JsonElement record)
    {
        if (record.Identifier("id") is not { } id)
            return null;
        var unwrapped = Unwrapped(id.EndsWith(BatchCostSuffix, StringComparison.Ordinal) ? id[..^BatchCostSuffix.Length] : id);
        var isResponse = unwrapped.StartsWith(ResponsePrefix, StringComparison.Ordinal);
        // A call id that the caller chose must not use up another user's object, nor make the reading of a response free.
        var isCallId = id == record.Identifier("litellm_call_id");
        return (isCallId && !isResponse) || (isResponse && unwrapped.Length > MaxObjectIdLength)
            ? null
            : new RecordIdentity(Shortened(unwrapped), Shortened(id)) { IsShared = !isCallId };
    }

    // LiteLLM wraps ids of providers with what it needs to find them again, in base64.
    private static string Unwrapped(string id)
    {
        var prefix = Array.Find(Prefixes, known => id.StartsWith(known, StringComparison.Ordinal)) ?? "";
        var text = id[prefix.Length..].Replace('-', '+').Replace('_', '/').TrimEnd('=');
        var bytes = new byte[text.Length];
        if (!Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out var length))
            return id;
        var decoded = Encoding.UTF8.GetString(bytes, 0, length);
        foreach (var name in WrappedIds)
            if (decoded.IndexOf(name, StringComparison.Ordinal) is >= 0 and var at)
                return decoded[(at + name.Length)..].Split(';')[0] is { Length: > 0 } wrapped
                    && !wrapped.Contains('\0', StringComparison.Ordinal) ? wrapped : id;
        return id;
    }

    private static string? Time(JsonElement record, string field) =>
        record.Number(field)?.ToString(CultureInfo.InvariantCulture) ?? record.Identifier(field);

    private static string Shortened(string key)
    {
        var bytes = Encoding.UTF8.GetBytes(key);
        return bytes.Length <= MaxKeyBytes ? key : $"sha256 {Convert.ToHexStringLower(SHA256.HashData(bytes))}";
    }
}
