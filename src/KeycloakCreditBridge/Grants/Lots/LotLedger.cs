namespace KeycloakCreditBridge.Grants.Lots;

/// <summary>
/// An account's lots, derived from its ledger row by row. Pure. Time ends nothing in it: an end acts by the row that books it out, which
/// is written before anything else at or after that end. So it yields the same, whatever the clocks of those who booked.
/// </summary>
internal sealed class LotLedger
{
    private readonly Dictionary<string, Lot> _lots = new(StringComparer.Ordinal);
    private readonly SortedSet<Lot> _open = new(DrawOrder.One);
    private readonly LotDraws _draws = new();

    /// <summary>An account without a ledger.</summary>
    public LotLedger()
    {
    }

    /// <summary>From a checkpoint, which keeps no draws: it takes no refund.</summary>
    public LotLedger(IEnumerable<Lot> lots, decimal debt)
    {
        (Debt, HasDraws) = (debt, false);
        foreach (var lot in lots)
        {
            _lots[lot.Key] = lot;
            Sort(lot);
        }
    }

    public IReadOnlyCollection<Lot> Lots => _lots.Values;

    /// <summary>What was used beyond all lots and no grant has paid yet.</summary>
    public decimal Debt { get; private set; }

    public decimal Balance => _lots.Values.Sum(lot => lot.Left) - Debt;

    /// <summary>Whether it knows which lots paid which debit.</summary>
    public bool HasDraws { get; } = true;

    public static LotLedger Replay(IEnumerable<LedgerEntry> entries)
    {
        var ledger = new LotLedger();
        foreach (var entry in entries)
            ledger.Apply(entry);
        return ledger;
    }

    public Lot? Find(string key) => _lots.GetValueOrDefault(key);

    public void Apply(LedgerEntry entry)
    {
        switch (entry.Kind)
        {
            case EntryKind.Grant:
                Close(entry.Closes);
                Open(entry, entry.Amount);
                break;
            case EntryKind.Debit:
                Draw(entry.Amount, LotGroup.All, null, (lot, part) => _draws.Add(entry.Key, lot, part), owes: true);
                break;
            case EntryKind.Refund:
                Refund(entry);
                break;
            case EntryKind.BookOut:
                Lose(entry.Amount, Find(entry.Of!), LotGroup.None);
                break;
            case EntryKind.Void:
                Void(entry);
                break;
            case EntryKind.Forfeit:
                Lose(entry.Amount, null, entry.Takes);
                Close(entry.Closes);
                break;
            case EntryKind.Extension when Find(entry.Of!) is { } lot:
                _open.Remove(lot);
                (lot.ExpiresAt, lot.Priority) = (entry.ExpiresAt, entry.Priority);
                Sort(lot);
                break;
        }
    }

    /// <summary>Remainders of lots that are over at this time, in the order of their ends and keys.</summary>
    public IReadOnlyList<BookedOut> Due(DateTimeOffset now) =>
    [
        .. _lots.Values
            .Where(lot => lot.Left > 0m && (lot.IsClosed || lot.ExpiresAt <= now))
            .OrderBy(lot => lot.ExpiresAt ?? DateTimeOffset.MaxValue).ThenBy(lot => lot.Key, StringComparer.Ordinal)
            .Select(lot => new BookedOut(lot, lot.Left, lot.IsClosed ? BookOutReason.Closed : BookOutReason.Expired)),
    ];

    /// <summary>What a void of this lot takes at this moment; 0 where there is none of this key.</summary>
    /// <param name="key">The lot.</param>
    /// <param name="beyond">How far it goes.</param>
    /// <param name="asked">Most that is taken; the lot's amount when absent.</param>
    public decimal VoidAmount(string key, VoidReach beyond, decimal? asked = null)
    {
        if (Find(key) is not { } lot)
            return 0m;
        // What ended unspent is not taken again.
        var most = Math.Min(asked ?? lot.Amount, lot.Amount - lot.Gone);
        var own = lot.IsClosed ? 0m : Math.Min(lot.Left, most);
        return beyond switch
        {
            VoidReach.Others => own + Math.Min(most - own, _open.Where(other => other != lot && !other.IsPaid).Sum(other => other.Left)),
            VoidReach.All => most,
            _ => own,
        };
    }

    /// <summary>What is left in open lots of this group.</summary>
    public decimal Remainder(LotGroup group) => _open.Where(lot => lot.IsOf(group)).Sum(lot => lot.Left);

    private void Open(LedgerEntry entry, decimal amount)
    {
        var lot = new Lot(entry.Key, amount, entry.At) { Left = amount, IsPaid = entry.IsPaid };
        (lot.ExpiresAt, lot.Priority) = (entry.ExpiresAt, entry.Priority);
        _lots[entry.Key] = lot;
        var paid = Math.Min(Debt, amount);
        Debt -= paid;
        lot.Left -= paid;
        _draws.Pay(lot, paid);
        Sort(lot);
    }

    // Draws in order; the lot `except` is left out. Returns what no lot had, which is debt where it is owed.
    private decimal Draw(decimal need, LotGroup group, Lot? except, Action<Lot?, decimal>? drawn, bool owes)
    {
        foreach (var lot in need > 0m ? _open.Where(lot => lot != except && lot.IsOf(group)).ToArray() : [])
        {
            var part = Math.Min(lot.Left, need);
            lot.Left -= part;
            need -= part;
            Sort(lot);
            drawn?.Invoke(lot, part);
            if (need == 0m)
                return 0m;
        }

        if (owes && need > 0m)
        {
            Debt += need;
            drawn?.Invoke(null, need);
            return 0m;
        }

        return need;
    }

    // What is booked without being in a lot, by another program or by hand, is drawn like usage that takes no refund.
    private void Lose(decimal amount, Lot? lot, LotGroup group)
    {
        amount -= Take(lot, amount, Part);
        amount = Draw(amount, group, null, Part, owes: false);
        Draw(amount, LotGroup.All, null, null, owes: true);

        void Part(Lot? from, decimal part) => from!.Gone += part;
    }

    private decimal Take(Lot? lot, decimal most, Action<Lot?, decimal>? taken)
    {
        if (lot is null || Math.Min(lot.Left, most) is var part && part == 0m)
            return 0m;
        lot.Left -= part;
        taken?.Invoke(lot, part);
        Sort(lot);
        return part;
    }

    private void Void(LedgerEntry entry)
    {
        var lot = Find(entry.Of!);
        var rest = entry.Amount - (lot is { IsClosed: false } ? Take(lot, entry.Amount, null) : 0m);
        List<(Lot?, decimal)> taken = [];
        rest = Draw(rest, LotGroup.Promotional, lot, Taken, owes: false);
        Draw(rest, LotGroup.All, lot, Taken, owes: true);
        if (lot is null)
            return;
        _draws.Replace(lot, taken);
        lot.IsClosed = true;
        Sort(lot);

        void Taken(Lot? from, decimal part) => taken.Add((from, part));
    }

    private void Refund(LedgerEntry entry)
    {
        if (!HasDraws)
            throw new InvalidOperationException("A refund needs the draws, which a checkpoint does not keep.");
        var beyond = _draws.Refund(entry.Of, entry.Amount, (lot, part) =>
        {
            if (lot is null)
            {
                Debt -= part;
                return;
            }

            lot.Left += part;
            Sort(lot);
        });
        if (beyond > 0m)
            _lots[entry.Key] = Sort(new Lot(entry.Key, beyond, entry.At) { Left = beyond });
    }

    private void Close(LotGroup group)
    {
        foreach (var lot in group == LotGroup.None ? [] : _lots.Values.Where(lot => lot.IsOf(group)).ToArray())
        {
            lot.IsClosed = true;
            Sort(lot);
        }
    }

    private Lot Sort(Lot lot)
    {
        if (lot.Left > 0m && !lot.IsClosed)
            _open.Add(lot);
        else
            _open.Remove(lot);
        return lot;
    }
}
