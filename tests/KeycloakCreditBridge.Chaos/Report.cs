using System.Globalization;
using KeycloakCreditBridge.Chaos.Checks;
using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Faults;
using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos;

/// <summary>Says what was done and what came of it.</summary>
internal static class Report
{
    private const int MostOfACheck = 10;

    public static IEnumerable<string> Of(Plan plan, CaseFile file, TimeSpan? timeToCalm, IReadOnlyList<Finding> findings) =>
    [
        "",
        plan.ToString(),
        Text($"{file.Users.Count:N0} users, {file.EachAccount.Count():N0} accounts, {file.Ledger.Sum(Enumerable.Count):N0} ledger rows"),
        Text($"{file.Calls.Count:N0} requests: {Counts(file.Calls, call => call.Outcome.ToString())}"),
        .. file.Calls.GroupBy(call => call.Kind).OrderBy(calls => calls.Key)
            .Select(calls => $"   {calls.Key,-16} {Counts(calls, call => $"{call.Outcome} {call.Status}")}"),
        Text($"{file.History.EndedPeriods.Count(period => period.Value):N0} ended periods, {file.History.Codes.Count:N0} codes, ")
            + Text($"{file.Events.Count:N0} events"),
        $"referrals: {Counts(file.Referrals, referral => referral.State)}",
        Text($"{file.Faults.Count(Met):N0} of {file.Faults.Count:N0} faults had an effect"),
        .. file.Faults.GroupBy(fault => fault.Plan.Kind).OrderBy(faults => faults.Key)
            .Select(faults => Text(
                $"   {faults.Key,-18} {faults.Count(Met):N0} of {faults.Count():N0}, met {faults.Sum(fault => fault.Hits):N0} times")),
        timeToCalm is { } calm ? Text($"calm after {calm.TotalSeconds:0.0} s") : "it did not become calm",
        .. file.History.KeycloakFailures.IsEmpty
            ? Array.Empty<string>()
            : [$"Keycloak itself refused: {Counts(file.History.KeycloakFailures, failure => failure.Split(" of ")[0])}"],
        Text($"{findings.Count:N0} findings"),
        .. findings.GroupBy(finding => finding.Check).SelectMany(Lines),
    ];

    private static bool Met(InjectedFault fault) => fault.Hits > 0;

    private static IEnumerable<string> Lines(IGrouping<string, Finding> findings)
    {
        foreach (var finding in findings.Take(MostOfACheck))
            yield return $"   {finding}";
        if (findings.Count() > MostOfACheck)
            yield return Text($"   {findings.Key}: and {findings.Count() - MostOfACheck:N0} more");
    }

    private static string Counts<T>(IEnumerable<T> counted, Func<T, string> nameOf) => string.Join(
        ", ",
        counted.CountBy(nameOf).OrderBy(count => count.Key, StringComparer.Ordinal)
            .Select(count => Text($"{count.Key}: {count.Value:N0}")));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
