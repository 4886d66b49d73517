using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants;

/// <summary>Counts credits that ended, and those that wait for the sweep.</summary>
internal sealed class GrantsMetrics : IInstruments
{
    private readonly Counter<long> _lots;
    private readonly Counter<double> _credits;
    private readonly Counter<long> _swept;
    private readonly Histogram<double> _duration;
    private volatile SweepBacklog? _backlog;

    public GrantsMetrics(Meter meter)
    {
        _lots = meter.CreateCounter<long>("bridge.grants.expired", "{grant}", "Grants that ended with something left.");
        _credits = meter.CreateCounter<double>("bridge.grants.expired_credits", "{credit}", "Credits that ended unspent.");
        _swept = meter.CreateCounter<long>("bridge.grants.swept", "{account}", "Accounts that the sweep took ended credits from.");
        _duration = meter.CreateHistogram<double>("bridge.grants.sweep_duration", "s", "How long sweeps took that found ended credits.");
        meter.CreateObservableGauge(
            "bridge.grants.due", () => Measure(backlog => backlog.Accounts), "{account}",
            "Accounts with ended credits that wait for the sweep. They are not spendable.");
        meter.CreateObservableGauge(
            "bridge.grants.oldest_due", () => Measure(backlog => backlog.OldestSeconds), "s",
            "How long ago the oldest end was that waits for the sweep.");
    }

    public void Expired(int lots, decimal credits)
    {
        _lots.Add(lots);
        _credits.Add((double)credits);
    }

    public void Swept(int accounts) => _swept.Add(accounts);

    public void SweepTook(TimeSpan duration) => _duration.Record(duration.TotalSeconds);

    /// <param name="backlog">The backlog now; null when it is unknown.</param>
    public void SetBacklog(SweepBacklog? backlog) => _backlog = backlog;

    public void StartAtZero()
    {
        _lots.Add(0);
        _credits.Add(0);
        _swept.Add(0);
    }

    private IEnumerable<Measurement<double>> Measure(Func<SweepBacklog, double> select) =>
        _backlog is { } backlog ? [new Measurement<double>(select(backlog))] : [];
}
