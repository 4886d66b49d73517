using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Credits;

// What callers send and are answered, as the API's document has it. The answers themselves are written by the database.
// Members of requests with a default value may be left out. Choices are patterns: some clients send values of enums under other names.

/// <summary>A balance under both sets of names that callers use; amounts have six decimals.</summary>
/// <param name="ProRated">What a pro-rated switch of the tier added or took; only in its answer.</param>
/// <param name="Expiring">What ends within seven days; only where something does, and only in the answer to a read.</param>
internal sealed record BalanceShape(
    string UserId, string Balance, string CreditsRemaining, string AllocatedMonthly, string CreditsAllocated, string BonusCredits,
    string FreeTierUsed,
    DateTimeOffset? ResetDate, DateTimeOffset? LastReset, DateTimeOffset? LastUpdated, DateTimeOffset? UpdatedAt, DateTimeOffset? CreatedAt,
    string Tier,
    string? MonthlyCap, bool Unlimited, string Status, string? ProRated = null, ExpiringShape[]? Expiring = null);

internal sealed record LlmBalanceShape(string UserId, string CreditsRemaining, string Tier, string? MonthlyCap);

/// <summary>A row of the ledger; its amount is negative where it was charged.</summary>
internal sealed record TransactionShape(
    Guid Id, string UserId, string Amount, string? BalanceAfter, string TransactionType, string? Service, string? Model, int? Tokens,
    string? Cost,
    JsonObject? CostBreakdown, JsonObject? Metadata, DateTimeOffset? CreatedAt);

internal sealed record HistoryShape(TransactionShape[] Transactions, long Total, int Limit, int Offset);

/// <param name="ExpiresAt">The credits can be spent before this instant; ever without one.</param>
/// <param name="Priority">Credits of a lower one are spent first; 50 without one.</param>
/// <param name="Category">Whether they count as bought; without one a purchase does, and a bonus does not.</param>
internal sealed record AllocateShape(
    [property: Length(1, 255)] string UserId, decimal Amount, [property: Length(1, 500)] string Source,
    [property: RegularExpression("^(purchase|bonus)$")] string? Type = null, DateTimeOffset? ExpiresAt = null,
    [property: Range(0, 100)] int? Priority = null,
    [property: RegularExpression("^(paid|promotional)$")] string? Category = null, JsonObject? Metadata = null);

internal sealed record RefundShape(
    [property: Length(1, 255)] string UserId, decimal Amount, [property: Length(1, 500)] string Reason, Guid? Refunds = null,
    JsonObject? Metadata = null);

internal sealed record AdjustShape(
    [property: Length(1, 255)] string UserId, [property: RegularExpression(@"^-?[0-9]{1,14}(\.[0-9]{1,6})?$")] decimal Amount,
    [property: Length(1, 500)] string Reason, bool? AllowNegative = null, JsonObject? Metadata = null);

internal sealed record DeductShape(
    [property: Length(1, 255)] string UserId, decimal Amount, [property: Length(1, 100)] string Service,
    [property: MaxLength(200)] string? Model = null, JsonObject? CostBreakdown = null, JsonObject? Metadata = null);

internal sealed record TrackShape(
    [property: Length(1, 100)] string Service, [property: MaxLength(255)] string? UserId = null,
    [property: MaxLength(200)] string? Model = null, [property: Range(0, int.MaxValue)] int? Tokens = null, decimal? Cost = null,
    bool? IsFree = null, JsonObject? Metadata = null);

internal sealed record TrackedShape(
    Guid Id, string UserId, string Service, string? Model, int? Tokens, string Cost, string Charged, bool IsFree, string Balance,
    JsonObject Metadata,
    DateTimeOffset CreatedAt);

/// <summary>Where the caller came from; at least one of them.</summary>
internal sealed record AttributionShape(
    [property: Length(1, 128)] string? Source = null, [property: Length(1, 128)] string? Medium = null,
    [property: Length(1, 128)] string? Campaign = null, [property: Length(1, 128)] string? Content = null,
    [property: Length(1, 128)] string? Term = null, [property: Length(1, 128)] string? Ref = null);

/// <param name="Kept">Whether it was kept now; false where the same was kept before.</param>
internal sealed record AttributedShape(string UserId, bool Kept);

internal sealed record CompleteTaskShape([property: Length(1, 255)] string UserId, JsonObject? Evidence = null);

/// <param name="Granted">Whether the task is paid; otherwise the report is kept until all that it requires is met.</param>
internal sealed record TaskCompletionShape(string UserId, string Task, bool Granted, string? Amount);

internal sealed record SummaryShape(
    string UserId, long TotalEvents, long TotalTokens, string TotalCost, long FreeTierEvents, long PaidTierEvents,
    Dictionary<string, UsedShape> Services, PeriodShape Period);

internal sealed record UsedShape(long Events, long Tokens, string Cost);

/// <param name="End">Not part of it.</param>
internal sealed record PeriodShape(DateTimeOffset Start, DateTimeOffset End);

internal sealed record ModelShape(string Model, long Events, long Tokens, string Cost);

internal sealed record ServiceShape(string Service, long Events, long Tokens, string Cost);

internal sealed record SwitchShape([property: Length(1, 255)] string UserId, [property: Length(1, 50)] string NewTier);
