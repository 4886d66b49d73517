using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Intake.Deliveries.Recording;

/// <summary>The body of a refused delivery as it may be kept: short, and without what may be a credential.</summary>
internal static partial class DeliveryBody
{
    /// <summary>In bytes of UTF-8.</summary>
    public const int Longest = 16 * 1024;

    private const string LeftOut = "(left out)";

    private static readonly JsonDocumentOptions Reading = new() { MaxDepth = 64 };

    /// <param name="body">The bytes of a proven sender.</param>
    /// <param name="secrets">What the sender proves itself with, in case that the body repeats it.</param>
    public static string Of(ReadOnlySpan<byte> body, IEnumerable<string> secrets)
    {
        var text = Without(Encoding.UTF8.GetString(body), secrets);
        text = Redacted(text) ?? BeforeCredential(text);
        return Shortened(text.Replace('\0', '\uFFFD'));
    }

    private static string? Redacted(string text)
    {
        try
        {
            if (JsonNode.Parse(text, documentOptions: Reading) is not { } root || root is JsonValue)
                return null;
            Redact(root);
            return root.ToJsonString();
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or InvalidOperationException)
        {
            // No document, or one with a name twice.
            return null;
        }
    }

    private static void Redact(JsonNode? node)
    {
        if (node is JsonArray array)
        {
            for (var index = 0; index < array.Count; index++)
                if (IsCredential(array[index]))
                    array[index] = LeftOut;
                else
                    Redact(array[index]);
        }
        else if (node is JsonObject members)
        {
            foreach (var (name, value) in members.ToList())
                if (value is not null && (Credential().IsMatch(name) || IsCredential(value)))
                    members[name] = LeftOut;
                else
                    Redact(value);
        }
    }

    // Admin events carry the changed object as text, which is JSON inside JSON.
    private static bool IsCredential(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) && Credential().IsMatch(text);

    private static string BeforeCredential(string text) =>
        Credential().Match(text) is { Success: true } found ? $"{text[..found.Index]}{LeftOut}" : text;

    private static string Without(string text, IEnumerable<string> secrets)
    {
        foreach (var secret in secrets.Where(secret => secret.Length > 0))
            text = text.Replace(secret, LeftOut, StringComparison.Ordinal);
        return text;
    }

    private static string Shortened(string text)
    {
        var bytes = 0;
        var length = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            bytes += rune.Utf8SequenceLength;
            if (bytes > Longest)
                return text[..length];
            length += rune.Utf16SequenceLength;
        }

        return text;
    }

    [GeneratedRegex("credential|passw|secret|token|authorization|private.?key|api.?key|otp|cookie", RegexOptions.IgnoreCase)]
    private static partial Regex Credential();
}
