namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>A change of one balance, which is one row of the ledger.</summary>
/// <param name="Amount">Credited where positive, charged where negative.</param>
/// <param name="Type">`usage`, `purchase`, `bonus` or `refund`.</param>
/// <param name="Metadata">A JSON object.</param>
/// <param name="CallerKey">Whose Idempotency-Key it is.</param>
/// <param name="Key">The Idempotency-Key; null without one.</param>
/// <param name="Hash">Tells this request from any other under the same key.</param>
internal sealed record CreditChange(
    Credits.Balances.AccountSelector Reach, decimal Amount, string Type, string Metadata, string CallerKey, string? Key, byte[] Hash)
{
    public string? Service { get; init; }

    public string? Model { get; init; }

    public int? Tokens { get; init; }

    /// <summary>What the usage cost, charged or not.</summary>
    public decimal? Cost { get; init; }

    /// <summary>Written to the audit log; null where none is kept.</summary>
    public string? Action { get; init; }

    /// <summary>From where it was asked for.</summary>
    public string? Address { get; init; }

    /// <summary>Answered with the ledger row instead of the balance.</summary>
    public bool AnswersEntry { get; init; }
}

/// <summary>What one try came to.</summary>
internal sealed record CreditChangeResult
{
    /// <summary>Set when the key was used before: the request that it was used for.</summary>
    public byte[]? EarlierHash { get; init; }

    /// <summary>JSON; null when nothing was moved.</summary>
    public string? Answer { get; init; }

    /// <summary>Whose balance it is; null when there is no account.</summary>
    public string? AccountId { get; init; }

    /// <summary>Whether the account is bounded by nothing.</summary>
    public bool Unlimited { get; init; }

    /// <summary>The account's status; null when there is no account.</summary>
    public string? Status { get; init; }

    public string? StatusReason { get; init; }

    /// <summary>As it was when the statement began.</summary>
    public decimal? Balance { get; init; }
}
