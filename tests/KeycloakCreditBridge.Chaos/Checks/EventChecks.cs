using KeycloakCreditBridge.Chaos.Evidence;

namespace KeycloakCreditBridge.Chaos.Checks;

/// <summary>Events about credits tell what the ledgers hold, and each was taken, those of an account in their order.</summary>
internal static class EventChecks
{
    private const string Check = "events";

    public static IEnumerable<Finding> Events(CaseFile file) => Recorded(file).Concat(Taken(file));

    /// <summary>Events that no program has taken yet.</summary>
    public static IEnumerable<Finding> Untaken(CaseFile file)
    {
        var taken = file.TakenEvents.ToHashSet(StringComparer.Ordinal);
        return file.Events.Where(happened => !taken.Contains(happened.Id))
            .Select(happened => new Finding(Check, $"event {happened.Seq} ({happened.Type} of {happened.AccountId}) was not taken"));
    }

    // Under the account ids of their time, which a new address changes: they are counted.
    private static IEnumerable<Finding> Recorded(CaseFile file)
    {
        var entries = file.Ledger.SelectMany(ledger => ledger).ToArray();
        var due = new Dictionary<string, int>(StringComparer.Ordinal)
        {
            ["credits.account.opened"] = file.EachAccount.Count(),
        };
        foreach (var (grant, count) in entries.Where(entry => entry is { Type: "bonus" or "purchase", Amount: > 0 })
            .CountBy(entry => $"credits.granted {entry.GrantKey ?? $"tx:{entry.Id}"}", StringComparer.Ordinal))
            due[grant] = count;
        due["credits.expired"] = entries.Count(entry => entry.GrantKey?.StartsWith("expire:", StringComparison.Ordinal) == true);
        var told = file.Events.Where(happened => happened.Type is "credits.account.opened" or "credits.granted" or "credits.expired")
            .CountBy(
                happened => happened.Type == "credits.granted" ? $"{happened.Type} {happened.Grant}" : happened.Type,
                StringComparer.Ordinal)
            .ToDictionary(StringComparer.Ordinal);
        foreach (var name in due.Keys.Union(told.Keys, StringComparer.Ordinal))
        {
            var (wanted, found) = (due.GetValueOrDefault(name), told.GetValueOrDefault(name));
            if (wanted != found)
                yield return new(Check, $"{name} happened {wanted} times and has {found} events");
        }
    }

    private static IEnumerable<Finding> Taken(CaseFile file)
    {
        var events = file.Events.ToDictionary(happened => happened.Id, StringComparer.Ordinal);
        var first = file.TakenEvents.Distinct(StringComparer.Ordinal).ToArray();
        foreach (var id in first.Where(id => !events.ContainsKey(id)))
            yield return new(Check, $"event {id} was taken and is not on record");
        foreach (var account in first.Where(events.ContainsKey).Select(id => events[id]).GroupBy(happened => happened.AccountId))
        {
            foreach (var (earlier, later) in account.Zip(account.Skip(1)).Where(pair => pair.First.Seq > pair.Second.Seq))
                yield return new(Check, $"event {later.Seq} of {account.Key} was taken after event {earlier.Seq}");
        }

        foreach (var finding in Untaken(file))
            yield return finding;
    }
}
