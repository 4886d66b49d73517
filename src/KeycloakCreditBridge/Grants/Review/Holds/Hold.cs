using KeycloakCreditBridge.Grants.Claims;

namespace KeycloakCreditBridge.Grants.Review.Holds;

/// <summary>A grant to be held back.</summary>
/// <param name="Key">The ledger's `grant_key`.</param>
/// <param name="Credits">What an approval pays, whatever the settings say then.</param>
/// <param name="Claim">The inbox of the user's address, which an approval takes; null where there is no address.</param>
/// <param name="Score">0 to 100.</param>
/// <param name="Signals">A JSON array of signals without addresses: `[{"signal": "…", "score": 40}]`.</param>
/// <param name="IsRefused">Whether it is rejected at once.</param>
/// <param name="LapseAfter">How long it waits for a decision.</param>
/// <param name="LapseApproves">Whether it is approved then.</param>
internal sealed record NewHold(
    string Realm, string KeycloakId, string Key, string Policy, string? PolicyVersion, decimal Credits, HoldTerms Terms, Claim? Claim,
    int Score, string Signals, bool IsRefused, TimeSpan LapseAfter, bool LapseApproves);

/// <summary>A hold that is new.</summary>
/// <param name="Signals">A JSON array.</param>
internal sealed record OpenedHold(Guid Id, string AccountId, string GrantKey, string Policy, string State, string Signals)
{
    public bool IsRefused => State != HoldMoves.Name(HoldState.Held);
}

/// <summary>A hold with what an approval needs of it.</summary>
/// <param name="Realm">The account's, as <paramref name="KeycloakId"/> is; null without an owner.</param>
/// <param name="Claims">See <see cref="HeldClaim"/>.</param>
/// <param name="DisabledAt">Since when the policy gives nothing; null while it does.</param>
internal sealed record PayableHold(
    Guid Id, string? Realm, string? KeycloakId, string AccountId, string GrantKey, string Policy, string? PolicyVersion, decimal Credits,
    string Signals, string Terms, string Claims, string State, int Version, DateTimeOffset? AppealedAt, string AccountStatus,
    DateTimeOffset? DisabledAt);

/// <summary>A hold that ends without a person.</summary>
/// <param name="IsOver">Whether its time is.</param>
/// <param name="IsPaid">Whether the account bought credits.</param>
internal sealed record DueHold(Guid Id, int Version, bool LapseApproves, bool IsOver, bool IsPaid);

/// <summary>Decides a hold.</summary>
/// <param name="Version">That of the hold as it was read: of two decisions the later one is refused.</param>
/// <param name="To">Approved, rejected or lapsed.</param>
/// <param name="By">The caller.</param>
/// <param name="Note">Why; null where nothing is said.</param>
/// <param name="Address">The caller's address.</param>
internal sealed record HoldDecision(Guid Id, int Version, HoldState To, string By, string? Note = null, string? Address = null)
{
    /// <summary>Characters of a note.</summary>
    public const int LongestNote = 500;
}

internal enum DecisionOutcome
{
    Done,
    Unknown,

    /// <summary>It was decided, or reopened, since it was read.</summary>
    Changed,

    /// <summary>The account is on hold or closed, so nothing can be paid.</summary>
    AccountNotActive,

    /// <summary>Another account was paid for the same inbox.</summary>
    InboxTaken,

    /// <summary>The budget of the rule is used up.</summary>
    BudgetUsedUp,

    /// <summary>An operator ended grants of the policy.</summary>
    PolicyDisabled,

    /// <summary>The grant was given otherwise, or cannot be given any more.</summary>
    NotPayable,
}

/// <summary>What became of a decision.</summary>
/// <param name="State">The hold's then; null where there is none.</param>
/// <param name="AccountId">The account; null where there is no hold.</param>
internal sealed record DecisionResult(DecisionOutcome Outcome, string? State = null, string? AccountId = null, decimal Credits = 0m);

/// <summary>What was found for an appeal.</summary>
/// <param name="State">Before it.</param>
/// <param name="IsAppealed">Whether an appeal was made before.</param>
internal sealed record AppealedHold(Guid Id, string State, bool IsAppealed, bool IsReopened);

internal enum AppealOutcome
{
    /// <summary>The hold is in the queue again.</summary>
    Done,

    /// <summary>No such grant of the account was held.</summary>
    Unknown,

    /// <summary>It waits for a decision.</summary>
    InReview,

    /// <summary>An appeal was made before.</summary>
    AlreadyAppealed,

    /// <summary>It was paid.</summary>
    Approved,
}

/// <summary>Why a decision was not carried out, and what helps.</summary>
internal static class DecisionTexts
{
    public static string Of(DecisionOutcome outcome) => outcome switch
    {
        DecisionOutcome.Changed => "The hold was decided or reopened since: read it again.",
        DecisionOutcome.AccountNotActive => "The account is on hold or closed: it can be approved once it is active, and rejected now.",
        DecisionOutcome.InboxTaken => "Another account was paid for the same inbox: reject this one.",
        DecisionOutcome.BudgetUsedUp => "The budget of its rule is used up: raise it, wait for the next day, or reject it.",
        DecisionOutcome.PolicyDisabled => "Grants of its policy are disabled: `grants enable` has them given again.",
        DecisionOutcome.NotPayable => "The grant was given otherwise, or can be given no more: reject it.",
        DecisionOutcome.Unknown => "There is no such hold: `holds list` shows those that there are.",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, "It was carried out."),
    };
}
