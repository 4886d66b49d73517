namespace KeycloakCreditBridge.Chaos.Evidence;

/// <summary>A row of `user_credits`, with how often it was opened and audited.</summary>
internal sealed record AccountState
{
    public string AccountId { get; init; } = "";

    public string? KeycloakId { get; init; }

    /// <summary>Keycloak's id of its user, by which callers name it, where it has one.</summary>
    public string Owner => KeycloakId ?? AccountId;

    public string Status { get; init; } = "";

    public string? StatusReason { get; init; }

    public decimal Balance { get; init; }

    public string Tier { get; init; } = "";

    public bool Unlimited { get; init; }

    /// <summary>How many audit rows say that it was opened.</summary>
    public int Openings { get; init; }
}

/// <summary>A row of `keycloak_users`.</summary>
internal sealed record KnownUser
{
    public string KeycloakId { get; init; } = "";

    public string? AccountId { get; init; }

    public string UserState { get; init; } = "";
}

/// <summary>A row of the ledger.</summary>
internal sealed record LedgerEntryRow
{
    public Guid Id { get; init; }

    /// <summary>As <see cref="AccountState.Owner"/>.</summary>
    public string Owner { get; init; } = "";

    public decimal Amount { get; init; }

    public decimal? BalanceAfter { get; init; }

    public string Type { get; init; } = "";

    public string? GrantKey { get; init; }

    /// <summary>The request of the workload that it is of.</summary>
    public string? Name { get; init; }

    public string? Refunds { get; init; }

    public DateTimeOffset BookedAt { get; init; }
}

/// <summary>A code with its places.</summary>
/// <param name="Taken">Places that are taken, as the code says.</param>
/// <param name="Redeemed">Its redemptions.</param>
internal sealed record CodeRow(string Campaign, string Id, long Places, long Taken, long Redeemed);

/// <summary>A redemption of a code.</summary>
internal sealed record RedemptionRow(string Owner, string Campaign, string CodeId, string State);

/// <summary>A referral: one user and the one that it brought, by the owners of their accounts.</summary>
internal sealed record ReferralRow(string Id, string Referrer, string Referee, string State);

/// <summary>A row of `outbox`.</summary>
/// <param name="AccountId">The account's id at that time.</param>
/// <param name="Grant">The grant that it tells of, where it does.</param>
internal sealed record EventRow(long Seq, string Id, string AccountId, string Type, string? Grant);

/// <summary>A report of usage that waits, or was refused.</summary>
internal sealed record UnchargedReport
{
    public string? Name { get; init; }

    public string? UserId { get; init; }
}

/// <summary>What waits or has failed after the calm.</summary>
/// <param name="Kind">Such as `hints`.</param>
internal sealed record Backlog(string Kind, long Count);

/// <summary>What the lots of an account come to, with and without its checkpoint.</summary>
internal sealed record LotSum(string AccountId, decimal Balance, decimal FromCheckpoint, decimal FromStart, bool HasNegativeLot);

/// <summary>A user as Keycloak lists it.</summary>
internal sealed record ListedUser(string Id, string Username, bool Enabled);
