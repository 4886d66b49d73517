using CsCheck;
using KeycloakCreditBridge.Grants.Lots;

namespace KeycloakCreditBridge.Tests.Grants.Lots;

/// <summary>The replay of a ledger gives what the model gives, row by row.</summary>
public sealed class LotLedgerModelTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static TheoryData<string> Vectors => ExpiryVector.Names;

    [Theory]
    [MemberData(nameof(Vectors))]
    public void A_recorded_case_replays_to_its_outcome(string name)
    {
        var vector = ExpiryVector.Named(name);
        Compare(vector.Rows, vector.Until);
    }

    [Fact]
    public void Any_history_replays_to_what_the_model_has_after_each_of_its_rows() =>
        Walk.Rows(40).Sample(rows => Compare(rows, rows[^1].At + 20), iter: 20_000);

    private static void Compare(IEnumerable<ModelRow> rows, long until)
    {
        var (model, ledger) = (new ExpiryModel(), new LotLedger());
        List<ExpiryModel.Booking> booked = [];
        foreach (var row in rows)
        {
            BookOut(ledger, row.At, booked);
            ledger.Apply(EntryOf(row, ledger));
            BookOut(ledger, row.At, booked);
            model.Apply(row);
            Same(model, ledger, booked);
        }

        BookOut(ledger, until, booked);
        model.Expire(until);
        Same(model, ledger, booked);
    }

    private static void Same(ExpiryModel model, LotLedger ledger, IEnumerable<ExpiryModel.Booking> booked)
    {
        Assert.Equal((model.Balance, model.Debt), (ledger.Balance, ledger.Debt));
        Assert.Equal(model.Lots.OrderBy(lot => lot.Key, StringComparer.Ordinal), Each(lot => lot.Left));
        Assert.Equal(model.Gone.OrderBy(lot => lot.Key, StringComparer.Ordinal), Each(lot => lot.Gone));
        Assert.Equal(model.BookedOut.Where(item => item.Reason == "expire"), booked);

        IEnumerable<KeyValuePair<string, decimal>> Each(Func<Lot, decimal> amount) => ledger.Lots
            .OrderBy(lot => lot.Key, StringComparer.Ordinal).Select(lot => KeyValuePair.Create(lot.Key, amount(lot)));
    }

    // What falls on a closed lot is booked out in the order of ends by the one and of draws by the other: its sum is compared as a loss.
    private static void BookOut(LotLedger ledger, long at, List<ExpiryModel.Booking> booked)
    {
        foreach (var due in ledger.Due(TimeOf(at)))
        {
            ledger.Apply(due.EntryAt($"expire:{due.Lot.Key}", TimeOf(at)));
            if (due.Reason == BookOutReason.Expired)
                booked.Add(new ExpiryModel.Booking("expire", due.Lot.Key, due.Amount));
        }
    }

    private static LedgerEntry EntryOf(ModelRow row, LotLedger ledger)
    {
        var at = TimeOf(row.At);
        return row switch
        {
            ModelRow.Grant grant => new LedgerEntry(EntryKind.Grant, grant.Key, at, grant.Amount)
            {
                ExpiresAt = grant.Ends is { } ends ? TimeOf(ends) : null, Priority = grant.Priority, IsPaid = grant.Paid,
            },
            ModelRow.Debit debit => new LedgerEntry(EntryKind.Debit, debit.Key, at, debit.Amount),
            ModelRow.Refund refund => new LedgerEntry(EntryKind.Refund, refund.Key, at, refund.Amount) { Of = refund.Of },
            ModelRow.Void taken => new LedgerEntry(
                EntryKind.Void, taken.Key, at, ledger.VoidAmount(taken.Of, (VoidReach)taken.Beyond, taken.Amount))
            {
                Of = taken.Of, Beyond = (VoidReach)taken.Beyond,
            },
            ModelRow.Forfeit { KeepPaid: var keeps } => new LedgerEntry(EntryKind.Forfeit, row.Key, at, ledger.Remainder(GroupOf(keeps)))
            {
                Takes = GroupOf(keeps), Closes = GroupOf(keeps),
            },
            _ => throw new ArgumentOutOfRangeException(nameof(row)),
        };
    }

    private static LotGroup GroupOf(bool keepsPaid) => keepsPaid ? LotGroup.Promotional : LotGroup.All;

    private static DateTimeOffset TimeOf(long at) => Start.AddDays(at);
}
