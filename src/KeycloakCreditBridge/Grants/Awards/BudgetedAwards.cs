using KeycloakCreditBridge.Grants.Budgets;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>Takes what awards come to from the budgets of their rules, in the transaction that gives them.</summary>
internal static class BudgetedAwards
{
    /// <summary>The awards, each with the first choice whose budget has enough left.</summary>
    public static async Task<IReadOnlyList<Award>> TakeAsync(
        NpgsqlConnection connection, IReadOnlyList<Award> awards, DateTimeOffset? at, CancellationToken cancellationToken)
    {
        List<Award> done = new(awards.Count);
        // In the order of names, so that two batches take from the same budgets in one order.
        SortedDictionary<string, List<Award>> open = new(StringComparer.Ordinal);
        foreach (var award in awards)
            Add(award);
        while (open.Count > 0)
        {
            var (name, asking) = open.First();
            open.Remove(name);
            var taken = await TakeAsync(connection, name, asking, at, cancellationToken);
            done.AddRange(asking.Take(taken));
            foreach (var award in asking.Skip(taken))
                Add(Next(award));
        }

        return done;

        void Add(Award award)
        {
            if (!IsLimited(award))
                done.Add(award);
            else if (open.TryGetValue(BudgetOf(award), out var asking))
                asking.Add(award);
            else
                open.Add(BudgetOf(award), [award]);
        }
    }

    /// <summary>Gives back what was taken for awards that were not given after all.</summary>
    public static async Task GiveBackAsync(
        NpgsqlConnection connection, IReadOnlyList<Award> awards, IReadOnlyList<AwardedGrant> given, DateTimeOffset now, DateTimeOffset? at,
        CancellationToken cancellationToken)
    {
        var paid = given.Select(grant => (grant.Realm, grant.KeycloakId, grant.Key)).ToHashSet();
        var unpaid = awards.Where(award => IsLimited(award) && !paid.Contains((award.Realm, award.KeycloakId, award.Key)));
        foreach (var group in unpaid.GroupBy(BudgetOf, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            await BudgetStore.GiveBackAsync(
                connection, group.Key, group.First().Choice.Budget!.Per, group.Sum(award => award.Choice.Credits), at ?? now, at,
                cancellationToken);
        }
    }

    // How many of them, from the first on. All at once where all fit, so that a batch of thousands costs one statement.
    private static async Task<int> TakeAsync(
        NpgsqlConnection connection, string name, List<Award> asking, DateTimeOffset? at, CancellationToken cancellationToken)
    {
        var budget = asking[0].Choice.Budget!;
        if (await BudgetStore.TakeAsync(connection, name, budget, asking.Sum(award => award.Choice.Credits), at, cancellationToken))
            return asking.Count;
        var taken = 0;
        while (taken < asking.Count
            && await BudgetStore.TakeAsync(connection, name, budget, asking[taken].Choice.Credits, at, cancellationToken))
            taken++;
        return taken;
    }

    // Where nothing comes next, as for a top-up, nothing is given.
    private static Award Next(Award award) => award.Others.Count > 0
        ? award with
        {
            Choice = award.Others[0],
            Others = [.. award.Others.Skip(1)],
            Exhausted = award.Exhausted is null ? award.Choice.Rule : $"{award.Exhausted},{award.Choice.Rule}",
        }
        : award with { IsDue = false };

    private static bool IsLimited(Award award) => award.IsDue && award.Choice.Budget is not null;

    private static string BudgetOf(Award award) => $"{award.Realm}:{award.Policy}:{award.Choice.Rule}";
}
