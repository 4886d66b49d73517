namespace KeycloakCreditBridge.Grants.Lots;

/// <summary>What a ledger row does to an account's lots.</summary>
internal enum EntryKind
{
    /// <summary>Opens a lot; pays debt first.</summary>
    Grant,

    /// <summary>Draws from open lots in their order; the rest is debt.</summary>
    Debit,

    /// <summary>Goes back to the lots that paid, the last paid first; the rest opens a lot without end.</summary>
    Refund,

    /// <summary>Takes what is left of a lot that ended or was closed.</summary>
    BookOut,

    /// <summary>Takes a lot's remainder, and from other lots as far as it reaches; closes the lot.</summary>
    Void,

    /// <summary>Takes from a group of lots; it takes no refund.</summary>
    Forfeit,

    /// <summary>Changes a lot's end or priority.</summary>
    Extension,
}

/// <summary>How far a void goes beyond the lot's own remainder.</summary>
internal enum VoidReach
{
    /// <summary>It stops there.</summary>
    Stop,

    /// <summary>It goes on with other promotional lots.</summary>
    Others,

    /// <summary>It goes on with paid lots too, and then into debt.</summary>
    All,
}

/// <summary>Which lots are meant.</summary>
internal enum LotGroup
{
    None,
    Promotional,
    All,
}

/// <summary>A ledger row as the replay sees it.</summary>
/// <param name="Key">Of a grant the lot's key, of a debit what a refund names.</param>
/// <param name="At">When it was booked.</param>
/// <param name="Amount">Never negative.</param>
internal sealed record LedgerEntry(EntryKind Kind, string Key, DateTimeOffset At, decimal Amount)
{
    /// <summary>The end of the lot: of a grant as it was given, of an extension the new one; null for none.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>0 to 100; lots of a lower one are drawn first.</summary>
    public int Priority { get; init; } = Lot.DefaultPriority;

    public bool IsPaid { get; init; }

    /// <summary>The lot of a book-out, void or extension; the debit that a refund names, or null.</summary>
    public string? Of { get; init; }

    public VoidReach Beyond { get; init; }

    /// <summary>The lots that a forfeit takes from.</summary>
    public LotGroup Takes { get; init; } = LotGroup.All;

    /// <summary>The lots that are closed with it, spent ones too: what comes back to them later comes too late.</summary>
    public LotGroup Closes { get; init; }
}

/// <summary>Why a remainder is booked out.</summary>
internal enum BookOutReason
{
    Expired,
    Closed,
}

/// <summary>A remainder that has to be booked out.</summary>
internal sealed record BookedOut(Lot Lot, decimal Amount, BookOutReason Reason)
{
    /// <summary>As the replay takes it once it is booked.</summary>
    public LedgerEntry EntryAt(string key, DateTimeOffset at) => new(EntryKind.BookOut, key, at, Amount) { Of = Lot.Key };
}
