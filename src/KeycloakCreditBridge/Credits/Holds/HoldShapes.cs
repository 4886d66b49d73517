using System.ComponentModel.DataAnnotations;
using KeycloakCreditBridge.Grants.Review.Holds;
using static KeycloakCreditBridge.Api.Requests.Amount;

namespace KeycloakCreditBridge.Credits.Holds;

/// <summary>A held grant as administrators see it.</summary>
/// <param name="Amount">What an approval pays.</param>
/// <param name="Score">What the signals come to, 0 to 100.</param>
/// <param name="State">`held`, `approved`, `rejected` or `lapsed`.</param>
/// <param name="LapsesAt">When it ends undecided.</param>
/// <param name="DecidedBy">The caller; `time`, `paid` or `score` where no operator was asked.</param>
/// <param name="Appeal">What the user wrote, and the decision before; null without an appeal.</param>
/// <param name="Version">What a decision names.</param>
internal sealed record HoldShape(
    Guid Id, string UserId, string GrantKey, string Policy, string Amount, int Score, SignalShape[] Signals, string State,
    DateTimeOffset HeldAt, DateTimeOffset LapsesAt, string? DecidedBy, DateTimeOffset? DecidedAt, string? Note, AppealTextShape? Appeal,
    DateTimeOffset? AppealedAt, int Version)
{
    public static HoldShape Of(ListedHold hold) => new(
        hold.Id, hold.AccountId, hold.GrantKey, hold.Policy, Text(hold.Credits), hold.Score, SignalShape.Of(hold.Signals), hold.State,
        hold.HeldAt, hold.LapsesAt, hold.DecidedBy, hold.DecidedAt, hold.Note, AppealTextShape.Of(hold.Appeal), hold.AppealedAt,
        hold.Version);
}

/// <param name="Score">What it counts; 0 where it was only recorded.</param>
/// <param name="Missing">Why it could not speak; null where it spoke.</param>
internal sealed record SignalShape(string Signal, int Score, string? Missing)
{
    public static SignalShape[] Of(string json) =>
        [.. HeldSignal.Of(json).Select(signal => new SignalShape(signal.Signal, signal.Score, signal.Missing))];
}

/// <param name="State">The decision that the appeal is against.</param>
internal sealed record AppealTextShape(string Text, string State, string? DecidedBy, string? Note)
{
    public static AppealTextShape? Of(string? json) => HeldAppeal.Of(json) is { } appeal
        ? new(appeal.Text, appeal.State, appeal.DecidedBy, appeal.Note)
        : null;
}

/// <param name="Version">That of the hold as it was read.</param>
internal sealed record DecideShape([property: Range(1, int.MaxValue)] int Version, [property: Length(1, 500)] string? Note = null);

/// <param name="State">`approved` or `rejected`.</param>
/// <param name="Amount">What it comes to. That of a referral is paid within moments.</param>
internal sealed record DecidedShape(Guid Id, string UserId, string State, string Amount);

/// <param name="Decision">`approve` or `reject`.</param>
/// <param name="Confirm">How many holds these are. Without it they are counted.</param>
internal sealed record DecideManyShape(
    [property: RegularExpression("^(approve|reject)$")] string Decision, [property: Length(1, 255)] string? UserId = null,
    [property: Length(1, 100)] string? Policy = null, [property: Length(1, 100)] string? Signal = null,
    [property: Range(0, 100)] int? AtLeast = null, bool? Appealed = null, [property: Range(0, 1_000)] int? Confirm = null,
    [property: Length(1, 500)] string? Note = null);

/// <param name="Holds">Undecided ones before.</param>
/// <param name="Amount">What they come to.</param>
/// <param name="Decided">How many were decided.</param>
/// <param name="Left">Those that could not be, and wait on.</param>
internal sealed record DecidedManyShape(long Holds, string Amount, int Decided, LeftShape[] Left)
{
    public static DecidedManyShape Of(BulkResult result) => new(
        result.Count, Text(result.Credits), result.Done,
        [.. result.Left.Select(hold => new LeftShape(hold.Id, hold.AccountId, DecisionTexts.Of(hold.Outcome)))]);
}

internal sealed record LeftShape(Guid Id, string UserId, string Reason);

internal sealed record AppealShape([property: Length(1, 2_000)] string Text);

/// <param name="State">Always `in_review`.</param>
internal sealed record AppealedShape(string UserId, string GrantKey, string State);
