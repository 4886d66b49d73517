using System.Buffers;
using System.Text.Json;

namespace KeycloakCreditBridge.Metering;

/// <summary>
/// JSON as gateways in Python write it: deeper than usual, and with NaN and Infinity, for which JSON has no words. What cannot be read as a
/// whole is taken apart, so that one part at fault spoils no other.
/// </summary>
internal static class LenientJson
{
    /// <summary>Twice what Python's limit of recursion lets through.</summary>
    public const int MaxDepth = 2_000;

    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = MaxDepth };
    private static readonly SearchValues<byte> Marks = SearchValues.Create("\"[]{},"u8);

    /// <summary>The document; null when it is none. What is right as it stands is read once.</summary>
    public static JsonDocument? TryParse(ReadOnlyMemory<byte> json) =>
        TryParseStrictly(json) ?? (ReplaceNonFiniteNumbers(json.Span) is { } strict ? TryParseStrictly(strict) : null);

    /// <summary>The same with null in place of each bare NaN and Infinity; null when there is none.</summary>
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

    /// <summary>The elements of each array and the lines between arrays, whether they are JSON or not.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> SplitRecords(ReadOnlyMemory<byte> body)
    {
        for (body = Trimmed(body); body.Length > 0; body = Trimmed(body))
        {
            var isArray = body.Span[0] == '[';
            if (isArray)
                body = body[1..];
            for (var goesOn = true; goesOn && body.Length > 0;)
            {
                var length = isArray ? ElementLength(body.Span) : LineLength(body.Span);
                if (Trimmed(body[..length]) is { Length: > 0 } part)
                    yield return part;
                goesOn = isArray && length < body.Length && body.Span[length] == ',';
                body = length < body.Length ? body[(length + 1)..] : default;
            }
        }
    }

    private static ReadOnlyMemory<byte> Trimmed(ReadOnlyMemory<byte> json) => json.Trim(" \t\r\n"u8);

    private static int LineLength(ReadOnlySpan<byte> body) => body.IndexOf((byte)'\n') is >= 0 and var end ? end : body.Length;

    // Up to the comma behind it or the end of its array.
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

    // With both of its quotes; all there is where the last one is missing.
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
