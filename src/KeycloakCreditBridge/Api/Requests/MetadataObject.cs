using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace KeycloakCreditBridge.Api.Requests;

/// <summary>
/// What a JSON object of a caller may hold. The database writes every number out in full, so that ten characters such as 1e131071 would
/// become a hundred thousand digits, and has no text with a zero character.
/// </summary>
internal static class MetadataObject
{
    /// <summary>Bytes of a caller with a role.</summary>
    public const int Longest = 8_192;

    /// <summary>Bytes of a user without one, who could fill the database for nothing.</summary>
    public const int LongestOfUser = 1_024;

    private const int Deepest = 8;
    private const int LongestNumber = 40;
    private const int LargestExponent = 30;
    private const string ZeroCharacter = "contains a zero character";

    /// <summary>What is wrong with it, to follow its name; null when nothing is.</summary>
    public static string? ProblemWith(JsonElement value, int longest = Longest) =>
        JsonMarshal.GetRawUtf8Value(value).Length > longest ? $"is longer than {longest} bytes" : ProblemWithin(value, Deepest);

    private static string? ProblemWithin(JsonElement value, int levels) => value.ValueKind switch
    {
        JsonValueKind.Object or JsonValueKind.Array when levels == 0 => $"is deeper than {Deepest}",
        JsonValueKind.Object when value.EnumerateObject().Any(property => HasZero(property.Name)) => ZeroCharacter,
        JsonValueKind.Object => FirstProblem(value.EnumerateObject().Select(property => property.Value), levels - 1),
        JsonValueKind.Array => FirstProblem(value.EnumerateArray(), levels - 1),
        JsonValueKind.Number when !IsShort(value.GetRawText()) =>
            $"holds a number of more than {LongestNumber} characters or an exponent beyond {LargestExponent}",
        JsonValueKind.String when HasZero(value.GetString()!) => ZeroCharacter,
        _ => null,
    };

    private static bool HasZero(string text) => text.Contains('\0', StringComparison.Ordinal);

    private static string? FirstProblem(IEnumerable<JsonElement> values, int levels) =>
        values.Select(value => ProblemWithin(value, levels)).FirstOrDefault(problem => problem is not null);

    private static bool IsShort(string number)
    {
        if (number.Length > LongestNumber)
            return false;
        var mark = number.AsSpan().IndexOfAny('e', 'E');
        return mark < 0
            || (int.TryParse(number.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent)
                && exponent is >= -LargestExponent and <= LargestExponent);
    }
}
