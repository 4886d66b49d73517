using KeycloakCreditBridge.Grants.Lots;

namespace KeycloakCreditBridge.Grants.Given;

/// <summary>What is stamped on a grant when it is given: later settings change none of it.</summary>
/// <param name="Category">See <see cref="GrantCategory"/>.</param>
/// <param name="ExpiresAt">Null for no end.</param>
/// <param name="PolicyVersion">Hash of the policy's settings.</param>
/// <param name="Evidence">A JSON object of at most 4 KiB.</param>
internal sealed record GrantStamp(
    string Category, int Priority = Lot.DefaultPriority, DateTimeOffset? ExpiresAt = null, string? Policy = null,
    string? PolicyVersion = null, string? Evidence = null);

/// <summary>A grant to be given once for its key.</summary>
/// <param name="Type">`bonus` or `purchase`.</param>
/// <param name="Metadata">A JSON object for the ledger row.</param>
internal sealed record NewGrant(string AccountId, string Key, decimal Amount, string Type, string Metadata, GrantStamp Stamp);

/// <summary>A grant as it stands.</summary>
/// <param name="Remainder">What can still be spent of it.</param>
/// <param name="Category">See <see cref="GrantCategory"/>.</param>
/// <param name="CloseReason">`expired`, `void`, `period_ended` or `account_closed`.</param>
/// <param name="Evidence">A JSON object.</param>
internal sealed record GivenGrant(
    string Key, decimal Amount, decimal Remainder, string Category, int Priority, DateTimeOffset GrantedAt, DateTimeOffset? ExpiresAt,
    DateTimeOffset? ClosedAt, string? CloseReason, string? Policy, string? PolicyVersion, string? Evidence)
{
    /// <summary>Whether it was voided, forfeited or has ended.</summary>
    public bool IsClosed { get; init; }

    /// <summary>Why it was given, as its ledger row says.</summary>
    public string? Reason { get; init; }
}

/// <summary>An account's grants, the oldest first.</summary>
/// <param name="Debt">What was used beyond all grants.</param>
/// <param name="Now">The time by which ends were compared.</param>
internal sealed record AccountGrants(string AccountId, decimal Balance, decimal Debt, IReadOnlyList<GivenGrant> Grants, DateTimeOffset Now);

/// <summary>Takes a grant back.</summary>
/// <param name="Note">The reason, for the ledger and the audit log.</param>
/// <param name="By">The caller.</param>
/// <param name="Address">The caller's address.</param>
internal sealed record GrantVoid(string AccountId, string GrantKey, VoidReach Beyond, string Note, string By, string? Address = null);

/// <summary>Changes the end or the priority of a grant.</summary>
/// <param name="ChangesEnd">Whether <paramref name="ExpiresAt"/> is meant; null there is no end.</param>
/// <param name="Priority">Null leaves it.</param>
internal sealed record GrantExtension(
    string AccountId, string GrantKey, DateTimeOffset? ExpiresAt, bool ChangesEnd, int? Priority, string By, string? Address = null);

internal enum GrantChangeOutcome
{
    Done,
    NoAccount,
    UnknownGrant,

    /// <summary>It was voided, forfeited or has ended.</summary>
    AlreadyDone,
}

/// <param name="Taken">Credits that were taken.</param>
/// <param name="Balance">The account's afterwards.</param>
internal sealed record VoidResult(GrantChangeOutcome Outcome, decimal Taken = 0m, decimal Balance = 0m);

/// <param name="Grant">As it is afterwards.</param>
/// <param name="Balance">The account's afterwards.</param>
internal sealed record ExtendResult(GrantChangeOutcome Outcome, GivenGrant? Grant = null, decimal Balance = 0m);
