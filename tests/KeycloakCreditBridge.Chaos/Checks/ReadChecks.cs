using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Checks;

/// <summary>
/// Each balance that was answered is one that the account had: after all that its caller could know of, and before anything that began
/// later.
/// </summary>
internal static class ReadChecks
{
    // A balance is never older than a second; the rest is for two clocks of callers.
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1.05);

    public static IEnumerable<Finding> Reads(CaseFile file)
    {
        foreach (var calls in file.Calls.GroupBy(call => call.Account))
        {
            var ledger = file.Ledger[calls.Key].ToArray();
            var balances = new decimal[ledger.Length + 1];
            for (var index = 0; index < ledger.Length; index++)
                balances[index + 1] = balances[index] + ledger[index].Amount;
            // Behind how many rows each request stands.
            var places = ledger.Index().Where(row => row.Item.Name is not null)
                .GroupBy(row => row.Item.Name!, row => row.Index + 1)
                .ToDictionary(group => group.Key, group => group.First(), StringComparer.Ordinal);
            var moves = calls.Where(call => call.Kind != StepKind.Meter && places.ContainsKey(call.Name)).ToArray();
            foreach (var read in calls.Where(call => call.Balance is not null))
            {
                var (least, most) = (LeastOf(read, moves, places), MostOf(read, moves, places, ledger.Length));
                if (least > most || !balances.AsSpan(least, most - least + 1).Contains(read.Balance!.Value))
                    yield return new(
                        "reads", $"{read.Name} of {read.Account} was answered {read.Balance} by replica {read.Replica} at "
                        + $"{read.Ended:HH:mm:ss.fff}; possible: "
                        + string.Join(", ", balances.Skip(least).Take(Math.Max(0, most - least) + 1).Distinct().Take(6)));
            }
        }
    }

    // What is answered again under a key is the first answer, whatever has happened since.
    private static int LeastOf(Call read, Call[] moves, Dictionary<string, int> places)
    {
        // An account comes with its opening.
        var own = places.GetValueOrDefault(read.Name, 1);
        if (read.Attempts > 1)
            return own;
        return moves.Where(move => move.Outcome == CallOutcome.Done && move.Ended < read.Started - AgeOf(move, read))
            .Select(move => places[move.Name])
            .Append(own)
            .Max();
    }

    private static TimeSpan AgeOf(Call move, Call read) =>
        read.IsMove || (move.Attempts == 1 && move.Replica == read.Replica) ? TimeSpan.Zero : MaxAge;

    private static int MostOf(Call read, Call[] moves, Dictionary<string, int> places, int all) =>
        moves.Where(move => move.Started > read.Ended).Select(move => places[move.Name] - 1).Append(all).Min();
}
