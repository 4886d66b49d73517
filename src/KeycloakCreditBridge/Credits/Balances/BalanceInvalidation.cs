using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Which balances changed, as processes and the trigger on user_credits notify it.</summary>
/// <param name="ProcessId">The process that notifies; null for the trigger.</param>
/// <param name="AccountIds">Account ids; null for all.</param>
internal sealed record BalanceInvalidation(
    [property: JsonPropertyName("from"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? ProcessId,
    [property: JsonPropertyName("accounts"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    IReadOnlyList<string>? AccountIds);

[JsonSerializable(typeof(BalanceInvalidation))]
internal sealed partial class BalanceInvalidationJson : JsonSerializerContext;
