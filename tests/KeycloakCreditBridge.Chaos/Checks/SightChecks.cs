using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Faults;
using KeycloakCreditBridge.Chaos.Plans;
using KeycloakCreditBridge.Chaos.World;

namespace KeycloakCreditBridge.Chaos.Checks;

/// <summary>Each fault that had an effect is seen in a metric or a line of the log.</summary>
internal static class SightChecks
{
    private const int LongestMet = 60;

    // The event of a request to Keycloak that is repeated.
    private const int AskedAgain = 103;

    private static readonly TimeSpan Before = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan After = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan ScrapeInterval = TimeSpan.FromSeconds(2);

    public static IEnumerable<Finding> Sights(CaseFile file) => file.Faults
        .Where(fault => fault.Hits > 0 && !IsSeen(fault, file) && !IsForgotten(fault, file))
        .Select(fault => new Finding(
            "sights", $"fault {fault.Plan.Number} ({fault.Plan.Kind}, replica {fault.Plan.Replica}, {fault.From:HH:mm:ss.fff} to "
            + $"{fault.To:HH:mm:ss.fff}) is seen in no metric and no line of the log. It met: {Shortened(fault.Met)}"));

    public static IEnumerable<Finding> Processes(CaseFile file) => file.Ends.Select(end => new Finding("processes", end));

    private static string Shortened(string text) =>
        string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Take(LongestMet));

    // What a process has counted since it was scraped last ends with it.
    private static bool IsForgotten(InjectedFault fault, CaseFile file) => !IsOfProcess(fault) && file.Faults.Any(
        other => other.Plan.Kind is FaultKind.Kill or FaultKind.Terminate
            && other.To > fault.From && other.From < fault.To + ScrapeInterval);

    private static bool IsOfProcess(InjectedFault fault) => fault.Plan.Kind is FaultKind.Kill or FaultKind.Terminate or FaultKind.Suspend;

    private static bool IsSeen(InjectedFault fault, CaseFile file) => fault.Plan.Kind switch
    {
        // However long it takes to start again: the time of its start says after which end that was.
        FaultKind.Kill or FaultKind.Terminate => file.Scrapes.Any(
            scrape => scrape.Replica == fault.Plan.Replica
                && scrape.Sum("bridge_started") * 1000 > fault.From.ToUnixTimeMilliseconds()),
        FaultKind.Suspend => Of(fault, file).Any(scrape => !scrape.IsUp),
        FaultKind.DatabaseCrash => Warns(fault, file, ofReplica: false),
        // An outage is logged once when it begins; what fails in it is counted.
        FaultKind.SessionsCut or FaultKind.DatabaseHalfOpen or FaultKind.AnswerCut =>
            Warns(fault, file, ofReplica: true) || Rises(fault, file, "not_stored") || Rises(fault, file, "db_client", "failed"),
        // The callers' side of a connection is theirs to see.
        FaultKind.CallersCut => true,
        FaultKind.KeycloakError => Rises(fault, file, "http_client", "_count", "=\"500\""),
        FaultKind.KeycloakThrottle => Rises(fault, file, "http_client", "_count", "=\"429\""),
        FaultKind.KeycloakHang => Rises(fault, file, "http_client", "_count", "error_type"),
        FaultKind.KeycloakTruncated => Warns(fault, file, ofReplica: false, AskedAgain),
        FaultKind.KeycloakSlow => Rises(fault, file, "http_client", "_sum"),
        FaultKind.SinkRefused or FaultKind.SinkAnswerLost => Rises(fault, file, "bridge_outbox_failed"),
        FaultKind.EventsWiped or FaultKind.WebhookLost => Rises(fault, file, "bridge_poll"),
        _ => Rises(fault, file, "bridge_webhook"),
    };

    private static IEnumerable<Scrape> Of(InjectedFault fault, CaseFile file) => file.Scrapes.Where(
        scrape => scrape.Replica == fault.Plan.Replica && scrape.At > fault.From - Before && scrape.At < fault.To + After);

    private static bool Warns(InjectedFault fault, CaseFile file, bool ofReplica, int orEvent = -1) => file.Log.Any(
        entry => (!ofReplica || entry.Replica == fault.Plan.Replica) && (entry.Line.Level != "INF" || entry.Line.Event == orEvent)
            && entry.Line.At > fault.From - Before && entry.Line.At < fault.To + After);

    // A process that has started meanwhile counts from zero.
    private static bool Rises(InjectedFault fault, CaseFile file, params string[] parts)
    {
        foreach (var scrapes in file.Scrapes.Where(scrape => scrape.IsUp).GroupBy(scrape => scrape.Replica))
        {
            double? last = null;
            foreach (var scrape in scrapes.Where(scrape => scrape.At > fault.From - Before && scrape.At < fault.To + After))
            {
                var sum = scrape.Sum(parts);
                if (sum > last)
                    return true;
                last = sum;
            }
        }

        return false;
    }
}
