namespace KeycloakCreditBridge.Grants.Lots;

/// <summary>Credits that were granted together, with what is left of them.</summary>
internal sealed class Lot(string key, decimal amount, DateTimeOffset grantedAt)
{
    public const int DefaultPriority = 50;

    /// <summary>The grant's key, or `tx:` and the id of its ledger row.</summary>
    public string Key { get; } = key;

    /// <summary>As granted.</summary>
    public decimal Amount { get; } = amount;

    public DateTimeOffset GrantedAt { get; } = grantedAt;

    /// <summary>It may be spent before this time; null for ever.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }

    public int Priority { get; set; } = DefaultPriority;

    public bool IsPaid { get; init; }

    /// <summary>What can still be spent.</summary>
    public decimal Left { get; set; }

    /// <summary>What was booked out unspent.</summary>
    public decimal Gone { get; set; }

    /// <summary>Voided or forfeited: it takes and gives nothing any more.</summary>
    public bool IsClosed { get; set; }

    public bool IsOf(LotGroup group) => group == LotGroup.All || (group == LotGroup.Promotional && !IsPaid);
}

/// <summary>The order in which lots are drawn: priority, soonest end, promotional before paid, older, key.</summary>
internal sealed class DrawOrder : IComparer<Lot>
{
    public static readonly DrawOrder One = new();

    public int Compare(Lot? x, Lot? y)
    {
        var order = x!.Priority.CompareTo(y!.Priority);
        order = order != 0 ? order : EndOf(x).CompareTo(EndOf(y));
        order = order != 0 ? order : x.IsPaid.CompareTo(y.IsPaid);
        order = order != 0 ? order : x.GrantedAt.CompareTo(y.GrantedAt);
        return order != 0 ? order : string.CompareOrdinal(x.Key, y.Key);
    }

    private static DateTimeOffset EndOf(Lot lot) => lot.ExpiresAt ?? DateTimeOffset.MaxValue;
}
