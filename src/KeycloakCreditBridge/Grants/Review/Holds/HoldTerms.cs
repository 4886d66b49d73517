using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy.Facts;

namespace KeycloakCreditBridge.Grants.Review.Holds;

/// <summary>What a held grant comes to beside its credits, as it was decided at the hold.</summary>
/// <param name="Source">What led to the user.</param>
/// <param name="ExpiresAfter">Counted from the approval; null without an end.</param>
/// <param name="Rule">The rule that decided; null where none matched.</param>
/// <param name="Budget">What has to be left of it at the approval; null without a limit.</param>
/// <param name="Tier">The account's tier then; null where it stays.</param>
/// <param name="Evidence">A JSON object for the grant.</param>
internal sealed record HoldTerms(
    string Source, TimeSpan? ExpiresAfter, string? Rule = null, Budget? Budget = null, AwardedTier? Tier = null, string? Evidence = null)
{
    /// <summary>The same as JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, HoldJson.Default.HoldTerms);

    /// <summary>What <see cref="ToJson"/> made.</summary>
    public static HoldTerms Read(string json) => JsonSerializer.Deserialize(json, HoldJson.Default.HoldTerms)!;
}

/// <summary>A claim and its other names, as they stand in a hold.</summary>
/// <param name="Hash">In hexadecimal.</param>
internal sealed record HeldClaim(string Kind, string Hash)
{
    /// <summary>The claim, its other names behind it; an empty list without one.</summary>
    public static string ToJson(Claim? claim) => JsonSerializer.Serialize(
        claim is null ? [] : claim.Others.Prepend(claim).Select(item => new HeldClaim(item.Kind, Convert.ToHexStringLower(item.Hash)))
            .ToArray(),
        HoldJson.Default.HeldClaimArray);

    /// <summary>What <see cref="ToJson"/> made; null where it was forgotten, or there never was one.</summary>
    public static Claim? Read(string json) => JsonSerializer.Deserialize(json, HoldJson.Default.HeldClaimArray) switch
    {
        [var first, .. var others] => Of(first) with { Others = [.. others.Select(Of)] },
        _ => null,
    };

    private static Claim Of(HeldClaim claim) => new(claim.Kind, Convert.FromHexString(claim.Hash));
}

/// <summary>A signal as it stands in a hold.</summary>
/// <param name="Score">What it counts; 0 where it was only recorded.</param>
/// <param name="Missing">Why it could not speak; null where it spoke.</param>
internal sealed record HeldSignal(string Signal, int Score, string? Missing = null)
{
    public static HeldSignal[] Of(string json) => JsonSerializer.Deserialize(json, HoldJson.Default.HeldSignalArray)!;
}

/// <summary>A user's appeal, and the decision that it is against.</summary>
internal sealed record HeldAppeal(
    string Text, string State, [property: JsonPropertyName("decided_by")] string? DecidedBy = null, string? Note = null)
{
    /// <summary>Null without one.</summary>
    public static HeldAppeal? Of(string? json) =>
        json is null ? null : JsonSerializer.Deserialize(json, HoldJson.Default.HeldAppeal);
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(HoldTerms))]
[JsonSerializable(typeof(HeldClaim[]))]
[JsonSerializable(typeof(HeldSignal[]))]
[JsonSerializable(typeof(HeldAppeal))]
internal sealed partial class HoldJson : JsonSerializerContext;
