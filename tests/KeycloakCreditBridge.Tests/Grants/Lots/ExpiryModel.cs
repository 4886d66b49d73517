namespace KeycloakCreditBridge.Tests.Grants.Lots;

/// <summary>
/// What credits with an end do, as plainly as it can be said: an account on which every row acts at once, without SQL, replay or
/// checkpoint. The bridge is compared with it.
/// </summary>
internal sealed class ExpiryModel
{
    private readonly Dictionary<string, Lot> _lots = new(StringComparer.Ordinal);
    private readonly List<Booking> _out = [];
    private List<Draw> _draws = [];

    public decimal Balance { get; private set; }

    public decimal Debt { get; private set; }

    /// <summary>What was booked out because a lot had ended or was closed, in order.</summary>
    public IReadOnlyList<Booking> BookedOut => _out;

    /// <summary>What is left of each lot.</summary>
    public IReadOnlyDictionary<string, decimal> Lots => _lots.ToDictionary(lot => lot.Key, lot => lot.Value.Left, StringComparer.Ordinal);

    /// <summary>What each lot lost unspent.</summary>
    public IReadOnlyDictionary<string, decimal> Gone => _lots.ToDictionary(lot => lot.Key, lot => lot.Value.Gone, StringComparer.Ordinal);

    public static ExpiryModel Run(IEnumerable<ModelRow> rows, long until)
    {
        var account = new ExpiryModel();
        foreach (var row in rows)
            account.Apply(row);
        account.Expire(until);
        return account;
    }

    /// <summary>Books what is due, then the row, then what became due by it.</summary>
    public void Apply(ModelRow row)
    {
        Expire(row.At);
        switch (row)
        {
            case ModelRow.Grant grant: Give(grant); break;
            case ModelRow.Debit debit: Owe(debit.Key, Take(debit.Key, debit.Amount, Open(debit.At))); break;
            case ModelRow.Refund refund: GiveBack(refund); break;
            case ModelRow.Void taken: Revoke(taken); break;
            case ModelRow.Forfeit forfeit: Close(forfeit); break;
        }

        Expire(row.At);
        Check();
    }

    /// <summary>Books out what has ended.</summary>
    public void Expire(long at)
    {
        foreach (var lot in _lots.Values.OrderBy(lot => lot.Ends).ThenBy(lot => lot.Key, StringComparer.Ordinal).ToList())
        {
            if (lot.Ends <= at && lot.Left > 0)
                BookOut("expire", lot, lot.Left);
        }
    }

    /// <summary>What must hold at all times.</summary>
    public void Check()
    {
        Assert.Equal(_lots.Values.Sum(lot => lot.Left) - Debt, Balance);
        Assert.All(_lots.Values, lot => Assert.InRange(lot.Left, 0, lot.Amount));
        Assert.True(Debt >= 0);
    }

    private void Give(ModelRow.Grant grant)
    {
        var lot = Add(grant);
        var pays = Math.Min(Debt, grant.Amount);
        (Debt, lot.Left) = (Debt - pays, lot.Left - pays);
        foreach (var owed in _draws.Where(draw => draw.Lot is null).ToList())
        {
            var part = Math.Min(pays, owed.Amount);
            (pays, owed.Amount) = (pays - part, owed.Amount - part);
            if (part > 0)
                _draws.Add(new Draw(owed.By, lot, part));
        }
    }

    private void GiveBack(ModelRow.Refund refund)
    {
        var rest = refund.Amount;
        foreach (var draw in Enumerable.Reverse(_draws).Where(draw => refund.Of is null || draw.By == refund.Of))
        {
            var part = Math.Min(rest, draw.Amount);
            (rest, draw.Amount, Balance) = (rest - part, draw.Amount - part, Balance + part);
            if (draw.Lot is not { } lot)
            {
                Debt -= part;
                continue;
            }

            lot.Left += part;
            if (lot.IsClosed && part > 0)
                BookOut("closed", lot, part);
        }

        if (rest > 0)
            Add(new ModelRow.Grant(refund.At, refund.Key, rest));
    }

    // What other lots give stands in for what the voided lot had paid, so that a refund returns to them.
    private void Revoke(ModelRow.Void taken)
    {
        var lot = _lots[taken.Of];
        var rest = Math.Min(taken.Amount, lot.Amount - lot.Gone);
        if (!lot.IsClosed)
        {
            var own = Math.Min(rest, lot.Left);
            (rest, lot.Left, Balance) = (rest - own, lot.Left - own, Balance - own);
        }

        var others = Open(taken.At).Where(other => other != lot).ToList();
        var before = _draws;
        _draws = [];
        if (taken.Beyond != ModelBeyond.Stop)
            rest = Take(taken.Key, rest, others.Where(other => !other.Paid));
        if (taken.Beyond == ModelBeyond.All)
            Owe(taken.Key, Take(taken.Key, rest, others));
        var standIns = _draws;
        _draws = before;
        foreach (var standIn in standIns)
        {
            foreach (var draw in Enumerable.Reverse(_draws).Where(draw => draw.Lot == lot).ToList())
            {
                var part = Math.Min(standIn.Amount, draw.Amount);
                (standIn.Amount, draw.Amount) = (standIn.Amount - part, draw.Amount - part);
                if (part > 0)
                    _draws.Add(new Draw(draw.By, standIn.Lot, part));
            }
        }

        lot.IsClosed = true;
    }

    // Also of a lot that is spent: what comes back to it later comes too late.
    private void Close(ModelRow.Forfeit forfeit)
    {
        foreach (var lot in _lots.Values.OrderBy(lot => lot.Key, StringComparer.Ordinal))
        {
            if (lot.IsClosed || (lot.Paid && forfeit.KeepPaid))
                continue;
            if (lot.Left > 0)
                BookOut("closed", lot, lot.Left);
            lot.IsClosed = true;
        }
    }

    private Lot Add(ModelRow.Grant grant)
    {
        var lot = new Lot(grant.Key, grant.Amount, grant.Ends ?? long.MaxValue, grant.Priority, grant.Paid, grant.At);
        _lots.Add(lot.Key, lot);
        Balance += lot.Amount;
        return lot;
    }

    private List<Lot> Open(long at) => [.. _lots.Values
        .Where(lot => lot.Left > 0 && !lot.IsClosed && lot.Ends > at)
        .OrderBy(lot => lot.Priority).ThenBy(lot => lot.Ends).ThenBy(lot => lot.Paid).ThenBy(lot => lot.At)
        .ThenBy(lot => lot.Key, StringComparer.Ordinal)];

    /// <summary>Draws from these lots in their order and returns what they lacked.</summary>
    private decimal Take(string by, decimal amount, IEnumerable<Lot> lots)
    {
        foreach (var lot in lots)
        {
            var part = Math.Min(lot.Left, amount);
            (lot.Left, amount, Balance) = (lot.Left - part, amount - part, Balance - part);
            if (part > 0)
                _draws.Add(new Draw(by, lot, part));
        }

        return amount;
    }

    private void Owe(string by, decimal amount)
    {
        (Balance, Debt) = (Balance - amount, Debt + amount);
        if (amount > 0)
            _draws.Add(new Draw(by, null, amount));
    }

    private void BookOut(string reason, Lot lot, decimal amount)
    {
        _out.Add(new Booking(reason, lot.Key, amount));
        (Balance, lot.Left, lot.Gone) = (Balance - amount, lot.Left - amount, lot.Gone + amount);
    }

    /// <param name="Reason">`expire` or `closed`.</param>
    internal sealed record Booking(string Reason, string Lot, decimal Amount);

    private sealed class Lot(string key, decimal amount, long ends, int priority, bool paid, long at)
    {
        public string Key { get; } = key;

        public decimal Amount { get; } = amount;

        public long Ends => ends;

        public int Priority => priority;

        public bool Paid => paid;

        public long At => at;

        public decimal Left { get; set; } = amount;

        /// <summary>What was booked out unspent.</summary>
        public decimal Gone { get; set; }

        public bool IsClosed { get; set; }
    }

    /// <param name="by">The debit.</param>
    /// <param name="lot">The lot that paid; null while it is debt.</param>
    private sealed class Draw(string by, Lot? lot, decimal amount)
    {
        public string By => by;

        public Lot? Lot => lot;

        public decimal Amount { get; set; } = amount;
    }
}
