namespace KeycloakCreditBridge.Grants.Lots;

/// <summary>Which lot paid which debit: what a refund goes back to. A draw without a lot is debt.</summary>
internal sealed class LotDraws
{
    private readonly List<Draw> _all = [];
    private readonly Dictionary<string, List<Draw>> _byDebit = new(StringComparer.Ordinal);
    private readonly Queue<Draw> _debts = new();

    public void Add(string debit, Lot? lot, decimal amount)
    {
        var draw = new Draw(debit, lot) { Left = amount };
        _all.Add(draw);
        if (_byDebit.TryGetValue(debit, out var same))
            same.Add(draw);
        else
            _byDebit[debit] = [draw];
        if (lot is null)
            _debts.Enqueue(draw);
    }

    /// <summary>Debt that a new lot pays was paid by that lot: the oldest debt first.</summary>
    public void Pay(Lot lot, decimal amount)
    {
        while (amount > 0m && _debts.TryPeek(out var draw))
        {
            amount -= Move(draw, lot, amount);
            if (draw.Left == 0m)
                _debts.Dequeue();
        }
    }

    /// <summary>What `voided` had paid was paid by the lots that a void took instead.</summary>
    public void Replace(Lot voided, IReadOnlyList<(Lot? Lot, decimal Amount)> taken)
    {
        foreach (var (lot, amount) in taken)
        {
            var left = amount;
            for (var index = _all.Count - 1; index >= 0 && left > 0m; index--)
            {
                if (_all[index].Lot == voided)
                    left -= Move(_all[index], lot, left);
            }
        }
    }

    /// <summary>Takes back what was drawn, newest first, and hands each part over; returns what is beyond everything drawn.</summary>
    public decimal Refund(string? debit, decimal amount, Action<Lot?, decimal> part)
    {
        var draws = debit is null ? _all : _byDebit.GetValueOrDefault(debit, []);
        for (var index = draws.Count - 1; index >= 0 && amount > 0m; index--)
        {
            var taken = Math.Min(draws[index].Left, amount);
            if (taken == 0m)
                continue;
            draws[index].Left -= taken;
            amount -= taken;
            part(draws[index].Lot, taken);
        }

        while (_all is [.., { Left: 0m }])
            _all.RemoveAt(_all.Count - 1);
        return amount;
    }

    private decimal Move(Draw draw, Lot? to, decimal most)
    {
        var moved = Math.Min(draw.Left, most);
        draw.Left -= moved;
        if (moved > 0m)
            Add(draw.Debit, to, moved);
        return moved;
    }

    private sealed class Draw(string debit, Lot? lot)
    {
        public string Debit { get; } = debit;

        public Lot? Lot { get; } = lot;

        public decimal Left { get; set; }
    }
}
