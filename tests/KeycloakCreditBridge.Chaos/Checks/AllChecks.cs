using KeycloakCreditBridge.Chaos.Evidence;

namespace KeycloakCreditBridge.Chaos.Checks;

/// <summary>All checks, by their names.</summary>
internal static class AllChecks
{
    private static readonly Func<CaseFile, IEnumerable<Finding>>[] Each =
    [
        AccountChecks.Accounts, AccountChecks.Openings, LedgerChecks.Sums, LedgerChecks.Chains, LedgerChecks.Moves, LedgerChecks.Refunds,
        LedgerChecks.Voids, LedgerChecks.Tiers, LedgerChecks.Lots, LedgerChecks.Backlog, ReadChecks.Reads, GrantChecks.Codes,
        GrantChecks.Referrals, GrantChecks.Periods, EventChecks.Events, SightChecks.Sights, SightChecks.Processes,
    ];

    public static IReadOnlyList<Finding> Of(CaseFile file) => [.. Each.SelectMany(check => check(file))];
}
