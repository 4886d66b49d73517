using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Credits.Balances.Cache;

/// <summary>Whose balance changed, as processes and the trigger on user_credits tell each other.</summary>
/// <param name="From">The process that says so; null where the trigger does.</param>
/// <param name="Accounts">Account ids; null for all.</param>
internal sealed record BalanceNews(
    [property: JsonPropertyName("from"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? From,
    [property: JsonPropertyName("accounts"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Accounts);

[JsonSerializable(typeof(BalanceNews))]
internal sealed partial class BalanceNewsJson : JsonSerializerContext;
