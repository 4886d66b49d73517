using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Checks;

/// <summary>Ledgers add up, and hold what was acknowledged once, what was refused never, what is unknown at most once.</summary>
internal static class LedgerChecks
{
    public static IEnumerable<Finding> Sums(CaseFile file)
    {
        foreach (var account in file.EachAccount)
        {
            var sum = file.Ledger[account.Owner].Sum(entry => entry.Amount);
            if (sum != account.Balance)
                yield return new("sums", $"account {account.AccountId} has {account.Balance}, and its ledger sums to {sum}");
        }
    }

    public static IEnumerable<Finding> Chains(CaseFile file)
    {
        foreach (var ledger in file.Ledger)
        {
            var (sum, last) = (0m, DateTimeOffset.MinValue);
            foreach (var entry in ledger)
            {
                sum += entry.Amount;
                var row = $"row {entry.Id} of {ledger.Key}";
                if (entry.BalanceAfter != sum)
                    yield return new("chains", $"{row} says {entry.BalanceAfter} afterwards, where it comes to {sum}");
                if (entry.BookedAt <= last)
                    yield return new("chains", $"{row} is booked at {entry.BookedAt:O}, not after the row before it");
                last = entry.BookedAt;
            }
        }
    }

    public static IEnumerable<Finding> Moves(CaseFile file)
    {
        var entries = file.Ledger.SelectMany(ledger => ledger).Where(entry => entry.Name is not null)
            .ToLookup(entry => entry.Name!, StringComparer.Ordinal);
        foreach (var call in file.Calls.Where(call => call.IsMove))
        {
            var count = entries[call.Name].Count();
            // A report about a user that was deleted before it had an account is kept.
            var isKept = file.UnchargedReports.Any(report => report.Name == call.Name) && file.History.Deleted.ContainsKey(call.Account);
            var isRight = call.Outcome switch
            {
                CallOutcome.Done => count == 1 || (count == 0 && isKept),
                CallOutcome.Refused => count == 0,
                _ => count <= 1,
            };
            if (!isRight)
                yield return new(
                    "moves", $"{call.Name} of {call.Account} was {call.Outcome} (status {call.Status}, {call.Attempts} attempts) and has "
                    + $"{count} ledger rows");
            foreach (var entry in entries[call.Name].Where(entry => entry.Amount != call.Amount || entry.Owner != call.Account))
                yield return new(
                    "moves", $"{call.Name} asked for {call.Amount} of {call.Account}, and row {entry.Id} has {entry.Amount} of "
                    + entry.Owner);
        }

        var names = file.Calls.Select(call => call.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var entry in entries.Where(group => !names.Contains(group.Key)).SelectMany(group => group))
            yield return new("foreign", $"row {entry.Id} of {entry.Owner} is of {entry.Name}, which no caller sent");
        foreach (var entry in file.Ledger.SelectMany(ledger => ledger).Where(entry => entry.Name is null && entry.GrantKey is null))
            yield return new(
                "foreign", $"row {entry.Id} of {entry.Owner} ({entry.Type} {entry.Amount}) is neither a caller's nor a grant's");
    }

    public static IEnumerable<Finding> Refunds(CaseFile file)
    {
        foreach (var ledger in file.Ledger)
        {
            var rows = ledger.ToDictionary(entry => entry.Id.ToString(), StringComparer.Ordinal);
            foreach (var refunds in ledger.Where(entry => entry.Refunds is not null).GroupBy(entry => entry.Refunds!))
            {
                if (rows.GetValueOrDefault(refunds.Key) is not { } usage || refunds.Sum(entry => entry.Amount) > -usage.Amount)
                    yield return new(
                        "refunds", $"{refunds.Count()} refunds of row {refunds.Key} of {ledger.Key} give back more than it took");
            }
        }
    }

    public static IEnumerable<Finding> Voids(CaseFile file)
    {
        foreach (var calls in file.Calls.Where(call => call.Kind == StepKind.VoidGrant).GroupBy(call => (call.Account, call.About)))
        {
            var (count, done) = (
                file.Ledger[calls.Key.Account].Count(entry => entry.GrantKey == $"void:{calls.Key.About}"),
                calls.Count(call => call.Outcome == CallOutcome.Done));
            if (count > 1 || done > 1 || (done == 1 && count == 0))
                yield return new(
                    "voids", $"grant {calls.Key.About} of {calls.Key.Account} was voided {done} times and has {count} ledger rows of it");
        }
    }

    public static IEnumerable<Finding> Tiers(CaseFile file)
    {
        foreach (var calls in file.Calls.Where(call => call.Kind == StepKind.SwitchTier).GroupBy(call => call.Account))
        {
            if (file.Accounts[calls.Key].FirstOrDefault() is not { } account)
                continue;
            var done = calls.Where(call => call.Outcome == CallOutcome.Done).ToArray();
            // Another one that began when it had ended has overwritten it.
            var possible = calls
                .Where(call => call.Outcome == CallOutcome.Unknown || done.Contains(call))
                .Where(call => call.Outcome == CallOutcome.Unknown || !done.Any(later => later.Started > call.Ended))
                .Select(call => call.About!)
                .Concat(done.Length == 0 ? ["trial"] : []);
            if (!possible.Contains(account.Tier, StringComparer.Ordinal))
                yield return new("tiers", $"account {account.AccountId} has tier {account.Tier}, not one of {string.Join(", ", possible)}");
        }
    }

    public static IEnumerable<Finding> Lots(CaseFile file) => file.Lots
        .Where(lots => lots.FromStart != lots.Balance || lots.FromCheckpoint != lots.Balance || lots.HasNegativeLot)
        .Select(lots => new Finding(
            "lots", $"account {lots.AccountId} has {lots.Balance}, and its lots come to {lots.FromStart}, from the checkpoint to "
            + $"{lots.FromCheckpoint}"));

    public static IEnumerable<Finding> Backlog(CaseFile file) => file.Backlog
        .Where(backlog => backlog.Count > 0)
        .Select(backlog => new Finding("backlog", $"there are {backlog.Count} {backlog.Kind}"))
        .Concat(file.UnchargedReports
            .Where(report => file.Users.Any(user => user.Id == report.UserId))
            .Select(report => new Finding("backlog", $"report {report.Name} of user {report.UserId} is not charged")));
}
