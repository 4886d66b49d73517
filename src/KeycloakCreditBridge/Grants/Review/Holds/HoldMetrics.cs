using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants.Review.Holds;

/// <summary>Counts held grants and what became of them, and what waits.</summary>
internal sealed class HoldMetrics : IInstruments
{
    private readonly Hot<FraudRules> _rules;
    private readonly Counter<long> _moves;
    private readonly Counter<long> _bySignal;
    private readonly Counter<long> _appeals;
    private volatile HoldBacklog? _backlog;

    public HoldMetrics(Meter meter, Hot<FraudRules> rules)
    {
        _rules = rules;
        _moves = meter.CreateCounter<long>("bridge.holds.moved", "{grant}", "Grants that came to a state of their review, by state.");
        _bySignal = meter.CreateCounter<long>(
            "bridge.holds.signals", "{grant}", "The same by state and signal: each signal that spoke against the grant.");
        _appeals = meter.CreateCounter<long>("bridge.holds.appeals", "{appeal}", "Refused grants that users put back into the queue.");
        meter.CreateObservableGauge(
            "bridge.holds.waiting", () => Measure(backlog => backlog.Held), "{grant}", "Held grants that wait for a decision.");
        meter.CreateObservableGauge(
            "bridge.holds.oldest", () => Measure(backlog => backlog.OldestSeconds), "s",
            "How long the oldest held grant or appeal waits for a decision.");
    }

    public void Opened(IReadOnlyCollection<OpenedHold> holds)
    {
        foreach (var hold in holds)
            Moved(hold.State, hold.Signals);
    }

    public void Decided(HoldState state, PayableHold hold) => Moved(HoldMoves.Name(state), hold.Signals);

    public void Appealed() => _appeals.Add(1);

    /// <param name="backlog">What waits; null where it is unknown.</param>
    public void SetBacklog(HoldBacklog? backlog) => _backlog = backlog;

    public void StartAtZero()
    {
        var states = Enum.GetValues<HoldState>().Select(HoldMoves.Name).ToList();
        _moves.StartAtZero("state", states);
        if (!_rules.Current.IsEnabled)
            return;
        _appeals.Add(0);
        foreach (var state in states)
        {
            foreach (var signal in SignalNames.All)
                _bySignal.Add(0, new KeyValuePair<string, object?>("state", state), new KeyValuePair<string, object?>("signal", signal));
        }
    }

    private void Moved(string state, string signals)
    {
        _moves.Add(1, new KeyValuePair<string, object?>("state", state));
        foreach (var hit in HeldSignal.Of(signals).Where(hit => hit.Score > 0))
        {
            _bySignal.Add(
                1, new KeyValuePair<string, object?>("state", state), new KeyValuePair<string, object?>("signal", hit.Signal));
        }
    }

    private IEnumerable<Measurement<double>> Measure(Func<HoldBacklog, double> select) =>
        _backlog is { } backlog ? [new Measurement<double>(select(backlog))] : [];
}
