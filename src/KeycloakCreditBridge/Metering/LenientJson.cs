using System.Buffers;
using System.Text.Json;

namespace KeycloakCreditBridge.Metering;

/// <summary>
/// Reads JSON as gateways in Python write it: nested deeply, and with NaN and Infinity, which JSON does not have. A body that is invalid as
/// a whole is split into its records, so that one bad record does not affect the others.
/// </summary>
internal static class LenientJson
{
    /// <summary>Twice Python's recursion limit.</summary>
    public const int MaxDepth = 2_000;

    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = MaxDepth };
    private static readonly SearchValues<byte> Marks = SearchValues.Create("\"[]{},"u8);

    /// <summary>The document, or null when it is invalid. Valid JSON is parsed once.</summary>
    public static JsonDocument? TryParse(ReadOnlyMemory<byte> json) =>
        TryParseStrictly(json) ?? (ReplaceNonFiniteNumbers(json.Span) is { } strict ? TryParseStrictly(strict) : null);

    /// <summary>The same with null for each bare NaN and Infinity; null when there is none.</summary>
    public static byte[]? ReplaceNonFiniteNumbers(ReadOnlySpan<byte> json)
    {
        var written = new ArrayBufferWriter<byte>();
        var copied = 0;
        for (var at = 0; json[at..].IndexOfAny((byte)'"', (byte)'N', (byte)'I') is >= 0 and var step;)
        {
            at += step;
            var rest = json[at..];
            var word = rest.StartsWith("NaN"u8) ? 3 : rest.StartsWith("Infinity"u8) ? 8 : 0;
            if (word == 0)
            {
                at += rest[0] == '"' ? StringLength(rest) : 1;
                continue;
            }

            var isNegative = at > copied && json[at - 1] == '-';
            written.Write(json[copied..(isNegative ? at - 1 : at)]);
            written.Write("null"u8);
            at += word;
            copied = at;
        }

        if (copied == 0)
            return null;
        written.Write(json[copied..]);
        return written.WrittenSpan.ToArray();
    }

    /// <summary>The elements of each array and the lines between arrays, valid JSON or not.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> SplitRecords(ReadOnlyMemory<byte> body)
    {
        for (body = Trimmed(body); body.Length > 0; body = Trimmed(body))
        {
            var isArray = body.Span[0] == '[';
            if (isArray)
                body = body[1..];
            for (var hasMore = true; hasMore && body.Length > 0;)
            {
                var length = isArray ? ElementLength(body.Span) : LineLength(body.Span);
                if (Trimmed(body[..length]) is { Length: > 0 } part)
                    yield return part;
                hasMore = isArray && length < body.Length && body.Span[length] == ',';
                body = length < body.Length ? body[(length + 1)..] : default;
            }
        }
    }

    private static ReadOnlyMemory<byte> Trimmed(ReadOnlyMemory<byte> json) => json.Trim(" \t\r\n"u8);

    private static int LineLength(ReadOnlySpan<byte> body) => body.IndexOf((byte)'\n') is >= 0 and var end ? end : body.Length;

    // Up to the next comma or the end of the array.
    private static int ElementLength(ReadOnlySpan<byte> json)
    {
        var depth = 0;
        for (var at = 0; json[at..].IndexOfAny(Marks) is >= 0 and var step; at++)
        {
            at += step;
            var mark = json[at];
            if (depth == 0 && mark is (byte)',' or (byte)']' or (byte)'}')
                return at;
            if (mark == '"')
                at += StringLength(json[at..]) - 1;
            else if (mark != ',')
                depth += mark is (byte)'[' or (byte)'{' ? 1 : -1;
        }

        return json.Length;
    }

    // With both quotes; up to the end where the closing one is missing.
    private static int StringLength(ReadOnlySpan<byte> json)
    {
        for (var at = 1; json[at..].IndexOfAny((byte)'"', (byte)'\\') is >= 0 and var step; at += 2)
        {
            at += step;
            if (json[at] == '"')
                return at + 1;
            if (at + 2 > json.Length)
                break;
        }

        return json.Length;
    }

    private static JsonDocument? TryParseStrictly(ReadOnlyMemory<byte> json)
    {
        try
        {
            return JsonDocument.Parse(json, Deep);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
