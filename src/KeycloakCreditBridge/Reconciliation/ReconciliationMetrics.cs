using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Operations;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>What reconciliations find, by realm.</summary>
internal sealed class ReconciliationMetrics
{
    private readonly Counter<long> runs;
    private readonly Counter<long> seen;
    private readonly Counter<long> missing;
    private readonly Counter<long> provisioned;
    private readonly Counter<long> failed;
    private readonly Histogram<double> duration;

    public ReconciliationMetrics(IMeterFactory meters)
    {
        var meter = meters.OfBridge();
        runs = meter.CreateCounter<long>("bridge.reconciliation.runs", "{run}", "Reconciliations that ended, by status.");
        seen = meter.CreateCounter<long>("bridge.reconciliation.seen", "{user}", "Users that reconciliations read.");
        missing = meter.CreateCounter<long>("bridge.reconciliation.missing", "{user}", "Users that reconciliations found without a complete record.");
        provisioned = meter.CreateCounter<long>("bridge.reconciliation.provisioned", "{account}", "Accounts that reconciliations opened.");
        failed = meter.CreateCounter<long>("bridge.reconciliation.failed", "{user}", "Users that reconciliations could not look at or write.");
        duration = meter.CreateHistogram<double>("bridge.reconciliation.duration", "s", "How long reconciliations took, by status.");
    }

    public void Reviewed(ReconcileRequest request, ReconcileCounts counts)
    {
        KeyValuePair<string, object?> realm = new("realm", request.Realm);
        seen.Add(counts.Seen, realm);
        missing.Add(counts.Missing, realm);
        provisioned.Add(counts.Provisioned, realm);
        failed.Add(counts.Failed, realm);
    }

    public void Ended(ReconcileOutcome outcome)
    {
        KeyValuePair<string, object?> realm = new("realm", outcome.Realm);
        KeyValuePair<string, object?> status = new("status", outcome.Status.ToString());
        runs.Add(1, realm, status);
        duration.Record(outcome.Elapsed.TotalSeconds, realm, status);
    }
}
