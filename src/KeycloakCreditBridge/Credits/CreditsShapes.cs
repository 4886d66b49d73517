using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Credits;

// What callers send and are answered, as the API's document has it. The answers themselves are written by the database.

/// <summary>A balance under both sets of names that callers use; amounts have six decimals.</summary>
internal sealed record BalanceShape(
    string UserId, string Balance, string CreditsRemaining, string AllocatedMonthly, string CreditsAllocated, string BonusCredits,
    string FreeTierUsed,
    DateTimeOffset? ResetDate, DateTimeOffset? LastReset, DateTimeOffset? LastUpdated, DateTimeOffset? UpdatedAt, DateTimeOffset? CreatedAt,
    string Tier,
    string? MonthlyCap, bool Unlimited, string Status);

internal sealed record LlmBalanceShape(string UserId, string CreditsRemaining, string Tier, string? MonthlyCap);

/// <summary>A row of the ledger; its amount is negative where it was charged.</summary>
internal sealed record TransactionShape(
    Guid Id, string UserId, string Amount, string? BalanceAfter, string TransactionType, string? Service, string? Model, int? Tokens,
    string? Cost,
    JsonObject? CostBreakdown, JsonObject? Metadata, DateTimeOffset? CreatedAt);

internal sealed record HistoryShape(TransactionShape[] Transactions, long Total, int Limit, int Offset);

internal sealed record AllocateShape(string UserId, string Amount, string Source, string? Type, JsonObject? Metadata);

internal sealed record RefundShape(string UserId, string Amount, string Reason, Guid? Refunds, JsonObject? Metadata);

internal sealed record AdjustShape(string UserId, string Amount, string Reason, bool? AllowNegative, JsonObject? Metadata);

internal sealed record DeductShape(string UserId, string Amount, string Service, string? Model, JsonObject? CostBreakdown,
    JsonObject? Metadata);

internal sealed record TrackShape(string Service, string? UserId, string? Model, int? Tokens, string? Cost, bool? IsFree,
    JsonObject? Metadata);

internal sealed record TrackedShape(
    Guid Id, string UserId, string Service, string? Model, int? Tokens, string Cost, string Charged, bool IsFree, string Balance,
    JsonObject Metadata,
    DateTimeOffset CreatedAt);

internal sealed record SummaryShape(
    string UserId, long TotalEvents, long TotalTokens, string TotalCost, long FreeTierEvents, long PaidTierEvents,
    Dictionary<string, UsedShape> Services, PeriodShape Period);

internal sealed record UsedShape(long Events, long Tokens, string Cost);

/// <param name="End">Not part of it.</param>
internal sealed record PeriodShape(DateTimeOffset Start, DateTimeOffset End);

internal sealed record ModelShape(string Model, long Events, long Tokens, string Cost);

internal sealed record ServiceShape(string Service, long Events, long Tokens, string Cost);

internal sealed record SwitchShape(string UserId, string NewTier);
