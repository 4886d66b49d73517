using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Grants.Policy.Facts;

/// <summary>Where a user came from, as the user's browser says: a claim that any user can make.</summary>
internal sealed record Attribution(string? Source, string? Medium, string? Campaign, string? Content, string? Term, string? Ref)
{
    /// <summary>Characters of a value.</summary>
    public const int Longest = 128;

    /// <summary>Names of what a rule can compare.</summary>
    public static readonly IReadOnlyList<string> Names = ["source", "medium", "campaign", "content", "term", "ref"];

    /// <summary>When it was made; null where that is not known.</summary>
    [JsonPropertyName("attributed_at")]
    public DateTimeOffset? At { get; init; }

    /// <summary>One of <see cref="Names"/>.</summary>
    public string? Of(string name) => name switch
    {
        "source" => Source,
        "medium" => Medium,
        "campaign" => Campaign,
        "content" => Content,
        "term" => Term,
        "ref" => Ref,
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "Attributions have no such part."),
    };

    /// <summary>What the query of an address says by `utm_source` and the like and by `ref`; null where it says nothing.</summary>
    /// <param name="address">Such as the one that a registration returns to.</param>
    /// <param name="at">When it was used.</param>
    /// <param name="dropped">How many values were too long, or had characters that cannot be printed.</param>
    public static Attribution? FromAddress(string? address, DateTimeOffset? at, out int dropped)
    {
        dropped = 0;
        var query = address?.Split('#')[0].Split('?', 2) is [_, var rest] ? rest : "";
        Dictionary<string, string> values = new(StringComparer.Ordinal);
        foreach (var part in query.Split('&').Select(part => part.Split('=', 2)).Where(part => part.Length == 2))
        {
            var name = part[0] == "ref" ? "ref" : part[0].StartsWith("utm_", StringComparison.Ordinal) ? part[0]["utm_".Length..] : "";
            var value = Uri.UnescapeDataString(part[1].Replace('+', ' '));
            if (value.Length == 0 || !Names.Contains(name, StringComparer.Ordinal) || (name == "ref") != (part[0] == "ref"))
                continue;
            if (value.Length > Longest || value.Any(char.IsControl))
                dropped++;
            else
                values.TryAdd(name, value);
        }

        return values.Count == 0
            ? null
            : new(Value("source"), Value("medium"), Value("campaign"), Value("content"), Value("term"), Value("ref")) { At = at };

        string? Value(string name) => values.GetValueOrDefault(name);
    }
}
