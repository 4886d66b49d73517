namespace KeycloakCreditBridge.Grants.Policy.Facts;

/// <summary>Where a user came from, as the user's browser says: a claim that any user can make.</summary>
internal sealed record Attribution(string? Source, string? Medium, string? Campaign, string? Content, string? Term, string? Ref)
{
    /// <summary>Names of what a rule can compare.</summary>
    public static readonly IReadOnlyList<string> Names = ["source", "medium", "campaign", "content", "term", "ref"];

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
}
