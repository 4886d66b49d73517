namespace KeycloakCreditBridge.Grants.Review.Holds;

/// <summary>
/// Decides many holds by what they have in common, once their number was confirmed. Each is decided for itself: a run that was killed is
/// repeated, and goes on where that one ended.
/// </summary>
internal sealed class HoldBulk(HoldListStore holds, HoldBook book)
{
    /// <summary>At most so many at once.</summary>
    public const int Most = 1_000;

    /// <summary>Counts undecided holds, and decides them where that is the number which was confirmed.</summary>
    public async Task<BulkResult> DecideAsync(BulkDecision order, CancellationToken cancellationToken)
    {
        var found = await holds.ListAsync(order.Filter with { State = HoldState.Held }, Most + 1, cancellationToken);
        var counted = new BulkResult(found.Count, found.Sum(hold => hold.Credits), IsConfirmed: order.Confirmed == found.Count, 0, []);
        if (!counted.IsConfirmed || found.Count > Most)
            return counted;
        var done = 0;
        List<LeftHold> left = [];
        foreach (var hold in found)
        {
            var result = await book.DecideAsync(
                new HoldDecision(hold.Id, hold.Version, order.To, order.By, order.Note, order.Address), order.Filter.Realms,
                cancellationToken);
            if (result.Outcome == DecisionOutcome.Done)
                done++;
            else
                left.Add(new LeftHold(hold.Id, hold.AccountId, result.Outcome));
        }

        return counted with { Done = done, Left = left };
    }
}

/// <summary>Decides many holds.</summary>
/// <param name="Filter">Undecided ones of these.</param>
/// <param name="To">Approved or rejected.</param>
/// <param name="Confirmed">How many they are; null where they are counted only.</param>
internal sealed record BulkDecision(
    HoldFilter Filter, HoldState To, long? Confirmed, string By, string? Note = null, string? Address = null);

/// <param name="Count">Undecided holds of the filter, before; one more than <see cref="HoldBulk.Most"/> where there are too many.</param>
/// <param name="Credits">What they come to.</param>
/// <param name="IsConfirmed">Whether the number was the confirmed one.</param>
/// <param name="Done">Holds that were decided.</param>
/// <param name="Left">Those that could not be, and wait on.</param>
internal sealed record BulkResult(long Count, decimal Credits, bool IsConfirmed, int Done, IReadOnlyList<LeftHold> Left)
{
    public bool IsTooMany => Count > HoldBulk.Most;
}

/// <summary>A hold that waits on.</summary>
internal sealed record LeftHold(Guid Id, string AccountId, DecisionOutcome Outcome);
