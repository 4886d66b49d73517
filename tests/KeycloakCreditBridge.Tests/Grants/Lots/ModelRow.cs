namespace KeycloakCreditBridge.Tests.Grants.Lots;

/// <summary>One thing that happens to an account, at a whole number of units of time.</summary>
internal abstract record ModelRow(long At, string Key)
{
    /// <param name="Ends">When it ends, or null.</param>
    /// <param name="Priority">The lower is drawn first.</param>
    public sealed record Grant(long At, string Key, decimal Amount, long? Ends = null, int Priority = 50, bool Paid = false)
        : ModelRow(At, Key);

    public sealed record Debit(long At, string Key, decimal Amount) : ModelRow(At, Key);

    /// <param name="Of">The debit that is refunded; null for the newest draws.</param>
    public sealed record Refund(long At, string Key, decimal Amount, string? Of = null) : ModelRow(At, Key);

    /// <param name="Of">The grant that is voided.</param>
    public sealed record Void(long At, string Key, decimal Amount, string Of, ModelBeyond Beyond = ModelBeyond.Stop) : ModelRow(At, Key);

    /// <summary>The end of a period.</summary>
    public sealed record Forfeit(long At, string Key, bool KeepPaid = true) : ModelRow(At, Key);
}

/// <summary>Where a void goes on when the remainder of its grant does not suffice.</summary>
internal enum ModelBeyond
{
    Stop,
    Others,
    All,
}
