namespace KeycloakCreditBridge.Grants.Lots;

/// <summary>A row of the ledger, with what its metadata say about lots.</summary>
internal sealed record LedgerRow
{
    /// <summary>Begins the key of a lot whose ledger row has none.</summary>
    public const string RowKey = "tx:";

    public const string ExpireKey = "expire:";
    public const string ClosedKey = "closed:";
    public const string VoidKey = "void:";
    public const string ExtendKey = "extend:";
    public const string ForfeitKey = "forfeit:";

    public string AccountId { get; init; } = "";

    public Guid Id { get; init; }

    public DateTimeOffset BookedAt { get; init; }

    public decimal Amount { get; init; }

    public string Type { get; init; } = "";

    public string? GrantKey { get; init; }

    public bool IsPaid { get; init; }

    public string? Reason { get; init; }

    public string? Of { get; init; }

    public string? Beyond { get; init; }

    public string? Takes { get; init; }

    public string? Closes { get; init; }

    public DateTimeOffset? ExpiresFrom { get; init; }

    public DateTimeOffset? ExpiresTo { get; init; }

    public int? PriorityFrom { get; init; }

    public int? PriorityTo { get; init; }

    /// <summary>The key of the lot that the row opens, if it opens one.</summary>
    public string LotKey => GrantKey ?? $"{RowKey}{Id}";

    public bool IsExtension => Of is not null && GrantKey?.StartsWith(ExtendKey, StringComparison.Ordinal) == true;

    public bool IsRefund => Type == "refund" && Amount > 0m;

    /// <summary>What it does to the lots.</summary>
    /// <param name="stamp">What was decided for the grant of <see cref="LotKey"/>.</param>
    /// <param name="firstExtension">The first extension of that grant: before it the grant was as that row says.</param>
    public LedgerEntry ToEntry(StampRow? stamp, LedgerRow? firstExtension)
    {
        var amount = Math.Abs(Amount);
        if (GrantKey is { } key && Amount <= 0m && Own(key) is { } kind)
        {
            return new(kind, key, BookedAt, amount)
            {
                Of = Of, ExpiresAt = ExpiresTo, Priority = PriorityTo ?? Lot.DefaultPriority, Beyond = Parse<VoidReach>(Beyond),
                Takes = Takes is null ? LotGroup.All : Parse<LotGroup>(Takes), Closes = Parse<LotGroup>(Closes),
            };
        }

        if (IsRefund)
            return new(EntryKind.Refund, LotKey, BookedAt, amount) { Of = Of };
        // A closing of an account is a forfeit without a key where an older program booked it.
        if (Amount < 0m && Reason == "account_closed")
            return new(EntryKind.Forfeit, LotKey, BookedAt, amount) { Closes = LotGroup.All };
        if (Amount < 0m || Type == "usage")
            return new(Amount < 0m ? EntryKind.Debit : EntryKind.Grant, DebitKey, BookedAt, amount);
        return new(EntryKind.Grant, LotKey, BookedAt, amount)
        {
            IsPaid = stamp is null ? IsPaid : stamp.Category == GrantCategory.Paid,
            ExpiresAt = firstExtension is null ? stamp?.ExpiresAt : firstExtension.ExpiresFrom,
            Priority = firstExtension?.PriorityFrom ?? stamp?.Priority ?? Lot.DefaultPriority,
            Closes = Parse<LotGroup>(Closes),
        };
    }

    // What a refund names.
    private string DebitKey => Amount < 0m ? Id.ToString() : LotKey;

    private static EntryKind? Own(string key) =>
        key.StartsWith(ExpireKey, StringComparison.Ordinal) || key.StartsWith(ClosedKey, StringComparison.Ordinal) ? EntryKind.BookOut
        : key.StartsWith(VoidKey, StringComparison.Ordinal) ? EntryKind.Void
        : key.StartsWith(ForfeitKey, StringComparison.Ordinal) ? EntryKind.Forfeit
        : key.StartsWith(ExtendKey, StringComparison.Ordinal) ? EntryKind.Extension
        : null;

    private static TValue Parse<TValue>(string? text)
        where TValue : struct => Enum.TryParse<TValue>(text, ignoreCase: true, out var value) ? value : default;
}

/// <summary>The categories of grants, as the table keeps them.</summary>
internal static class GrantCategory
{
    public const string Paid = "paid";
    public const string Promotional = "promotional";
}
