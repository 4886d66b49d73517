using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Metering;

/// <summary>Counts the questions and reports of gateways.</summary>
internal sealed class MeteringMetrics : IInstruments
{
    private readonly Counter<long> _gate;
    private readonly Counter<long> _charged;
    private readonly Counter<double> _credits;
    private readonly Counter<long> _duplicates;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _unbilled;
    private readonly Counter<long> _failedCalls;

    private readonly TimeProvider _clock;
    private volatile ReportBacklog? _backlog;

    public MeteringMetrics(Meter meter, TimeProvider clock)
    {
        _clock = clock;
        _gate = meter.CreateCounter<long>("bridge.gate.decisions", "{call}", "Calls decided by the gate, by decision and reason.");
        _charged = meter.CreateCounter<long>("bridge.meter.charged", "{record}", "Usage records that were charged.");
        _credits = meter.CreateCounter<double>("bridge.meter.credits", "{credit}", "Credits charged for usage records.");
        _duplicates = meter.CreateCounter<long>(
            "bridge.meter.duplicates", "{record}", "Usage records delivered again, which are charged once.");
        _refused = meter.CreateCounter<long>(
            "bridge.meter.refused", "{record}", "Usage records that could not be charged and are kept in usage_refusals.");
        _unbilled = meter.CreateCounter<long>(
            "bridge.meter.unbilled", "{record}", "Usage records that cost nothing: reads, and objects such as batches without a cost yet.");
        _failedCalls = meter.CreateCounter<long>(
            "bridge.meter.failed_calls", "{record}", "Failed calls that had caused a cost, by action: charged or ignored.");
        meter.CreateObservableGauge(
            "bridge.meter.waiting", () => Measure(backlog => backlog.Waiting), "{report}",
            "Reports not processed completely, including those that wait for an account.");
        meter.CreateObservableGauge("bridge.meter.lag", () => Measure(Lag), "s", "How late the report is that has been due longest.");
    }

    public void RecordDecision(bool allowed, string reason) => _gate.Add(
        1,
        new KeyValuePair<string, object?>("decision", allowed ? "allow" : "refuse"),
        new KeyValuePair<string, object?>("reason", reason));

    public void RecordCharges(long records, decimal credits)
    {
        _charged.Add(records);
        _credits.Add((double)credits);
    }

    public void RecordDuplicates(long records) => _duplicates.Add(records);

    public void RecordRefused(int records) => _refused.Add(records);

    public void RecordUnbilled(int records) => _unbilled.Add(records);

    public void RecordFailedCalls(int charged, int ignored)
    {
        if (charged > 0)
            _failedCalls.Add(charged, new KeyValuePair<string, object?>("action", "charged"));
        if (ignored > 0)
            _failedCalls.Add(ignored, new KeyValuePair<string, object?>("action", "ignored"));
    }

    public void StartAtZero()
    {
        foreach (var counter in new[] { _charged, _duplicates, _refused, _unbilled })
            counter.Add(0);
        _credits.Add(0);
        _failedCalls.StartAtZero("action", ["charged", "ignored"]);
        _gate.StartAtZero("decision", ["allow", "refuse"], "reason", ["unknown_user", "undecided", "no_user"]);
        _gate.StartAtZero("decision", ["refuse"], "reason", ["no_credits", "held", "closed"]);
        _gate.StartAtZero("decision", ["allow"], "reason", ["credits"]);
    }

    /// <param name="reports">The backlog now; null when it is unknown.</param>
    public void SetBacklog(ReportBacklog? reports) => _backlog = reports;

    private double Lag(ReportBacklog backlog) => backlog.FirstDueAt is { } due ? Math.Max(0, (_clock.GetUtcNow() - due).TotalSeconds) : 0;

    // A gap in the series is clearer than an old value.
    private IEnumerable<Measurement<double>> Measure(Func<ReportBacklog, double> select) =>
        _backlog is { } backlog ? [new Measurement<double>(select(backlog))] : [];
}
