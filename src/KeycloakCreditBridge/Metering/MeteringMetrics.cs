using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Metering.Reports;

namespace KeycloakCreditBridge.Metering;

/// <summary>What gateways asked and reported.</summary>
internal sealed class MeteringMetrics
{
    private readonly Counter<long> _gate;
    private readonly Counter<long> _charged;
    private readonly Counter<double> _credits;
    private readonly Counter<long> _duplicates;
    private readonly Counter<long> _refused;

    private readonly TimeProvider _clock;
    private volatile ReportBacklog? _backlog;

    public MeteringMetrics(Meter meter, TimeProvider clock)
    {
        _clock = clock;
        _gate = meter.CreateCounter<long>("bridge.gate.decisions", "{call}", "Calls that gateways asked about, by decision and reason.");
        _charged = meter.CreateCounter<long>("bridge.meter.charged", "{record}", "Records of usage that were charged.");
        _credits = meter.CreateCounter<double>("bridge.meter.credits", "{credit}", "Credits that were charged.");
        _duplicates = meter.CreateCounter<long>("bridge.meter.duplicates", "{record}", "Records that had been charged before.");
        _refused = meter.CreateCounter<long>("bridge.meter.refused", "{record}", "Records that can never be charged.");
        meter.CreateObservableGauge(
            "bridge.meter.waiting", () => Measure(backlog => backlog.Waiting), "{report}", "Reports that are not charged in full, those of people without account among them.");
        meter.CreateObservableGauge("bridge.meter.lag", () => Measure(Lag), "s", "How long the report that is due longest waits.");
    }

    public void RecordDecision(bool allowed, string reason) => _gate.Add(
        1, new KeyValuePair<string, object?>("decision", allowed ? "allow" : "refuse"), new KeyValuePair<string, object?>("reason", reason));

    public void RecordCharges(long records, decimal credits)
    {
        _charged.Add(records);
        _credits.Add((double)credits);
    }

    public void RecordDuplicates(long records) => _duplicates.Add(records);

    public void RecordRefused(int records) => _refused.Add(records);

    /// <param name="reports">What waits now; null when nobody knows.</param>
    public void SetBacklog(ReportBacklog? reports) => _backlog = reports;

    private double Lag(ReportBacklog backlog) => backlog.FirstDueAt is { } due ? Math.Max(0, (_clock.GetUtcNow() - due).TotalSeconds) : 0;

    // A gap in the series says it better than an old value.
    private IEnumerable<Measurement<double>> Measure(Func<ReportBacklog, double> select) =>
        _backlog is { } backlog ? [new Measurement<double>(select(backlog))] : [];
}
