using KeycloakCreditBridge.Grants.Lots;

namespace KeycloakCreditBridge.Tests.Grants.Lots;

/// <summary>What a ledger says about its lots.</summary>
public sealed class LotLedgerTests
{
    private static readonly DateTimeOffset Day = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void The_soonest_end_is_spent_first()
    {
        var ledger = LotLedger.Replay([Grant("a", 5, 60), Grant("b", 5, 31), Debit("u", 4)]);
        Assert.Equal((5m, 1m), (Left(ledger, "a"), Left(ledger, "b")));
    }

    [Fact]
    public void A_lower_priority_is_spent_before_a_sooner_end()
    {
        var ledger = LotLedger.Replay([Grant("a", 5, 60) with { Priority = 10 }, Grant("b", 5, 31), Debit("u", 4)]);
        Assert.Equal((1m, 5m), (Left(ledger, "a"), Left(ledger, "b")));
    }

    [Fact]
    public void Promotional_credits_are_spent_before_paid_ones()
    {
        var ledger = LotLedger.Replay([Grant("buy", 10) with { IsPaid = true }, Grant("promo", 5), Debit("u", 3)]);
        Assert.Equal((10m, 2m), (Left(ledger, "buy"), Left(ledger, "promo")));
    }

    [Fact]
    public void Usage_beyond_everything_is_debt_that_the_next_grant_pays_and_a_refund_returns_to_that_grant()
    {
        var ledger = LotLedger.Replay([Grant("signup", 5, 31), Debit("u", 8), Grant("bonus", 5, 40)]);
        Assert.Equal((0m, 0m, 2m), (ledger.Debt, Left(ledger, "signup"), Left(ledger, "bonus")));
        ledger.Apply(Refund("r", 8, "u"));
        Assert.Equal((5m, 5m, 10m), (Left(ledger, "signup"), Left(ledger, "bonus"), ledger.Balance));
    }

    [Fact]
    public void What_ended_is_due_until_its_row_is_there()
    {
        var ledger = LotLedger.Replay([Grant("a", 5, 10), Debit("u", 2)]);
        Assert.Empty(ledger.Due(Day.AddDays(10).AddTicks(-1)));
        var due = Assert.Single(ledger.Due(Day.AddDays(10)));
        Assert.Equal((3m, BookOutReason.Expired), (due.Amount, due.Reason));
        ledger.Apply(due.EntryAt("expire:a", Day.AddDays(10)));
        Assert.Empty(ledger.Due(Day.AddDays(10)));
        ledger.Apply(Refund("r", 2, "u"));
        Assert.Equal(2m, Assert.Single(ledger.Due(Day.AddDays(11))).Amount);
    }

    [Fact]
    public void A_refund_without_a_reference_goes_to_the_newest_draws_and_beyond_them_it_is_a_lot_without_end()
    {
        var ledger = LotLedger.Replay(
            [Grant("signup", 5, 31), Grant("buy", 10) with { IsPaid = true }, Debit("u1", 5), Debit("u2", 2), Refund("r1", 2)]);
        Assert.Equal((0m, 10m), (Left(ledger, "signup"), Left(ledger, "buy")));
        ledger.Apply(Refund("r2", 6));
        Assert.Equal((5m, 1m), (Left(ledger, "signup"), Left(ledger, "r2")));
        Assert.Null(ledger.Find("r2")!.ExpiresAt);
    }

    [Fact]
    public void A_void_from_others_never_takes_paid_credits()
    {
        var ledger = LotLedger.Replay(
            [Grant("ref", 5, 60), Grant("buy", 9) with { IsPaid = true }, Grant("p", 1), Debit("u", 3)]);
        Assert.Equal(2m, ledger.VoidAmount("ref", VoidReach.Stop));
        Assert.Equal(3m, ledger.VoidAmount("ref", VoidReach.Others));
        Assert.Equal(5m, ledger.VoidAmount("ref", VoidReach.All));
    }

    [Fact]
    public void After_a_void_from_all_a_refund_returns_to_the_lot_that_stood_in()
    {
        var ledger = LotLedger.Replay([Grant("promo", 5), Grant("buy", 9) with { IsPaid = true }, Debit("u", 3)]);
        ledger.Apply(new LedgerEntry(EntryKind.Void, "v", Day, ledger.VoidAmount("promo", VoidReach.All))
        {
            Of = "promo", Beyond = VoidReach.All,
        });
        Assert.Equal((0m, 6m), (Left(ledger, "promo"), Left(ledger, "buy")));
        ledger.Apply(Refund("r", 3, "u"));
        Assert.Equal((0m, 9m), (Left(ledger, "promo"), Left(ledger, "buy")));
        Assert.Empty(ledger.Due(Day));
    }

    [Fact]
    public void A_period_closes_promotional_lots_and_what_comes_back_to_them_is_booked_out()
    {
        var ledger = LotLedger.Replay(
        [
            Grant("signup", 5), Grant("buy", 10) with { IsPaid = true }, Debit("u", 2),
            new LedgerEntry(EntryKind.Forfeit, "forfeit:1", Day, 3) { Takes = LotGroup.Promotional },
            Grant("reset:1", 20) with { Closes = LotGroup.Promotional }, Refund("r", 2, "u"),
        ]);
        Assert.Equal((10m, 20m), (Left(ledger, "buy"), Left(ledger, "reset:1")));
        Assert.Equal(BookOutReason.Closed, Assert.Single(ledger.Due(Day)).Reason);
    }

    [Fact]
    public void A_changed_end_leaves_what_was_spent_before_it()
    {
        var ledger = LotLedger.Replay(
        [
            Grant("a", 5, 31), Grant("b", 5, 60), Debit("u1", 2),
            new LedgerEntry(EntryKind.Extension, "extend:a#1", Day, 0) { Of = "a", ExpiresAt = Day.AddDays(90) }, Debit("u2", 2),
        ]);
        Assert.Equal((3m, 3m), (Left(ledger, "a"), Left(ledger, "b")));
    }

    [Fact]
    public void A_checkpoint_goes_on_where_it_was_taken()
    {
        LedgerEntry[] first =
            [Grant("a", 5, 31) with { Priority = 3 }, Grant("b", 5) with { IsPaid = true }, Debit("u1", 2), Debit("u2", 9)];
        LedgerEntry[] then = [Grant("c", 7, 40), Debit("u3", 1)];
        var kept = LotCheckpoint.Parse(LotCheckpoint.Of(LotLedger.Replay(first)).ToJson()).ToLedger();
        foreach (var entry in then)
            kept.Apply(entry);
        Assert.Equal(LotCheckpoint.Of(LotLedger.Replay([.. first, .. then])).ToJson(), LotCheckpoint.Of(kept).ToJson());
    }

    private static LedgerEntry Grant(string key, decimal amount, int? days = null) =>
        new(EntryKind.Grant, key, Day, amount) { ExpiresAt = days is { } some ? Day.AddDays(some) : null };

    private static LedgerEntry Debit(string key, decimal amount) => new(EntryKind.Debit, key, Day, amount);

    private static LedgerEntry Refund(string key, decimal amount, string? of = null) =>
        new(EntryKind.Refund, key, Day, amount) { Of = of };

    private static decimal Left(LotLedger ledger, string key) => ledger.Find(key)!.Left;
}
