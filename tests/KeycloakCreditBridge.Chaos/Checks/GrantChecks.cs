using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Checks;

/// <summary>Codes pay each user once and no more users than they have places; each ended period is renewed once.</summary>
internal static class GrantChecks
{
    private const string CodeKey = "code:";
    private const string GivenKey = "referral:given:";
    private const string ReceivedKey = "referral:received";

    // As the settings have it.
    private const int MostPaid = 2;

    public static IEnumerable<Finding> Codes(CaseFile file)
    {
        foreach (var code in file.Codes.Where(code => code.Taken != code.Redeemed || code.Taken > code.Places))
            yield return new(
                "codes", $"the code of {code.Campaign} has {code.Places} places, of which it says {code.Taken} are taken, and "
                + $"{code.Redeemed} redemptions");
        foreach (var redemption in file.Redemptions)
        {
            var paid = file.Ledger[redemption.Owner].Count(entry => entry.GrantKey == CodeKey + redemption.CodeId);
            if (paid != (redemption.State == "paid" ? 1 : 0))
                yield return new(
                    "codes", $"the code of {redemption.Campaign} is {redemption.State} for {redemption.Owner} and has {paid} ledger rows");
        }

        var redeemed = file.Redemptions.ToLookup(redemption => (redemption.Owner, CodeKey + redemption.CodeId));
        foreach (var ledger in file.Ledger)
            foreach (var entry in ledger.Where(entry => entry.GrantKey?.StartsWith(CodeKey, StringComparison.Ordinal) == true))
                if (!redeemed.Contains((ledger.Key, entry.GrantKey!)))
                    yield return new("codes", $"row {entry.Id} of {ledger.Key} is of a code that it has not redeemed");
        foreach (var calls in file.Calls.Where(call => call.Kind == StepKind.Redeem).GroupBy(call => (call.Account, call.About)))
        {
            var found = file.Redemptions.Count(
                redemption => redemption.Owner == calls.Key.Account && redemption.Campaign == calls.Key.About);
            var least = calls.Any(call => call.Outcome == CallOutcome.Done) ? 1 : 0;
            var most = calls.All(call => call.Outcome == CallOutcome.Refused) ? 0 : 1;
            if (found < least || found > most)
                yield return new(
                    "codes", $"{calls.First().Name} of {calls.Key.Account} for {calls.Key.About} was {calls.First().Outcome}, and has "
                    + $"{found} redemptions");
        }
    }

    public static IEnumerable<Finding> Referrals(CaseFile file)
    {
        foreach (var referral in file.Referrals)
        {
            var (given, received) = (
                file.Ledger[referral.Referrer].Count(entry => entry.GrantKey == GivenKey + referral.Id),
                file.Ledger[referral.Referee].Count(entry => entry.GrantKey == ReceivedKey));
            var isRight = referral.State switch
            {
                "paid" => given == 1 && received == 1,
                "reversed" => given <= received,
                _ => given == 0,
            };
            if (!isRight)
                yield return new(
                    "referrals", $"referral {referral.Id} is {referral.State}: {referral.Referrer} was paid {given} times for it, and "
                    + $"{referral.Referee} {received} times");
        }

        foreach (var ledger in file.Ledger)
        {
            if (ledger.Count(entry => entry.GrantKey?.StartsWith(GivenKey, StringComparison.Ordinal) == true) is > MostPaid and var paid)
                yield return new("referrals", $"{ledger.Key} was paid for {paid} referrals, more than {MostPaid}");
            if (ledger.Any(entry => entry.GrantKey == ReceivedKey)
                && !file.Referrals.Any(
                    referral => referral.Referee == ledger.Key && referral.State is ("paid" or "capped" or "reversed")))
                yield return new("referrals", $"{ledger.Key} was paid as a referee, and no referral of it says so");
        }
    }

    public static IEnumerable<Finding> Periods(CaseFile file)
    {
        foreach (var account in file.EachAccount)
        {
            var renewed = file.Ledger[account.Owner].Count(entry => entry.GrantKey?.StartsWith("reset:", StringComparison.Ordinal) == true);
            var mayBeEnded = file.History.EndedPeriods.TryGetValue(account.Owner, out var isEnded);
            if ((renewed > 0 && !mayBeEnded) || (renewed == 0 && isEnded && account is { Status: "active", Unlimited: false }))
                yield return new(
                    "periods", $"account {account.AccountId} ({account.Status}) has {renewed} renewed periods, and its period was "
                    + (isEnded ? "ended" : "not ended"));
        }
    }
}
