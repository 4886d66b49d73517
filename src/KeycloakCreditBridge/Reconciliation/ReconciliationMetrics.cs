using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>What reconciliations find, by realm.</summary>
internal sealed class ReconciliationMetrics : IInstruments
{
    private readonly string[] _realms;
    private readonly Counter<long> _runs;
    private readonly Counter<long> _seen;
    private readonly Counter<long> _missing;
    private readonly Counter<long> _provisioned;
    private readonly Counter<long> _failed;
    private readonly Counter<long> _closed;
    private readonly Histogram<double> _duration;

    public ReconciliationMetrics(Meter meter, IOptions<KeycloakOptions> keycloak)
    {
        _realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
        _runs = meter.CreateCounter<long>("bridge.reconciliation.runs", "{run}", "Reconciliations that ended, by status.");
        _seen = meter.CreateCounter<long>("bridge.reconciliation.seen", "{user}", "Users that reconciliations read.");
        _missing = meter.CreateCounter<long>(
            "bridge.reconciliation.missing", "{user}", "Users that reconciliations found without a complete record.");
        _provisioned = meter.CreateCounter<long>("bridge.reconciliation.provisioned", "{account}", "Accounts that reconciliations opened.");
        _failed = meter.CreateCounter<long>(
            "bridge.reconciliation.failed", "{user}", "Users that reconciliations could not read or write.");
        _closed = meter.CreateCounter<long>("bridge.reconciliation.closed", "{user}", "Users on record that were deleted from Keycloak.");
        _duration = meter.CreateHistogram(
            "bridge.reconciliation.duration", "s", "How long reconciliations took, by status.",
            tags: null, BridgeMeter.Runs);
    }

    public void Reviewed(RunRequest request, ReconcileCounts counts)
    {
        KeyValuePair<string, object?> realm = new("realm", request.Realm);
        _seen.Add(counts.Seen, realm);
        _missing.Add(counts.Missing, realm);
        _provisioned.Add(counts.Provisioned, realm);
        _failed.Add(counts.Failed, realm);
        _closed.Add(counts.Closed, realm);
    }

    public void StartAtZero()
    {
        foreach (var counter in new[] { _seen, _missing, _provisioned, _failed, _closed })
            counter.StartAtZero("realm", _realms);
        _runs.StartAtZero("realm", _realms, "status", Enum.GetNames<ReconcileStatus>());
    }

    public void Ended(ReconcileOutcome outcome)
    {
        KeyValuePair<string, object?> realm = new("realm", outcome.Realm);
        KeyValuePair<string, object?> status = new("status", outcome.Status.ToString());
        _runs.Add(1, realm, status);
        _duration.Record(outcome.Elapsed.TotalSeconds, realm, status);
    }
}
