using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Grants.Given;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>A change of one balance, which is one row of the ledger.</summary>
/// <param name="Amount">Credited where positive, charged where negative.</param>
/// <param name="Type">`usage`, `purchase`, `bonus`, `refund` or `adjustment`.</param>
/// <param name="Metadata">A JSON object.</param>
/// <param name="CallerKey">The caller that <paramref name="Key"/> belongs to.</param>
/// <param name="Key">The Idempotency-Key; null without one.</param>
/// <param name="Hash">Differs between requests under the same key.</param>
internal sealed record CreditChange(
    AccountSelector Selector, decimal Amount, string Type, string Metadata, string CallerKey, string? Key, byte[] Hash)
{
    public string? Service { get; init; }

    public string? Model { get; init; }

    public int? Tokens { get; init; }

    /// <summary>What the usage cost, charged or not.</summary>
    public decimal? Cost { get; init; }

    /// <summary>The action in the audit log; null writes no audit row.</summary>
    public string? Action { get; init; }

    /// <summary>The caller's address.</summary>
    public string? Address { get; init; }

    /// <summary>The usage row that a refund gives back; null where the refund names none.</summary>
    public Guid? Refunds { get; init; }

    /// <summary>What is stamped on the grant that it is; null for a lot without an end or priority of its own.</summary>
    public GrantStamp? Stamp { get; init; }

    /// <summary>Whether it also applies to held and closed accounts.</summary>
    public bool AppliesToAnyStatus { get; init; }

    /// <summary>Whether the balance may go below zero.</summary>
    public bool MayOverdraw { get; init; }

    /// <summary>Whether the answer is the ledger row instead of the balance.</summary>
    public bool AnswersEntry { get; init; }
}

/// <summary>The result of one try.</summary>
internal sealed record CreditChangeResult
{
    /// <summary>Hash of the request that used the key before, or null.</summary>
    public byte[]? EarlierHash { get; init; }

    /// <summary>JSON; null when nothing was written.</summary>
    public string? Answer { get; init; }

    /// <summary>The account; null when there is none.</summary>
    public string? AccountId { get; init; }

    /// <summary>Whether the account has no limit.</summary>
    public bool Unlimited { get; init; }

    /// <summary>The account's status; null when there is no account.</summary>
    public string? Status { get; init; }

    public string? StatusReason { get; init; }

    /// <summary>What may still be refunded of the named usage row; null when the account has no such row.</summary>
    public decimal? Refundable { get; init; }

    /// <summary>Whether something in the account has ended and is not booked out yet: nothing was written then.</summary>
    public bool IsDue { get; init; }

    /// <summary>As it was when the statement began.</summary>
    public decimal? Balance { get; init; }
}
