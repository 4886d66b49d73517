using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants.Review.Signals;

/// <summary>Counts which signals speak of users, each user once.</summary>
internal sealed class SignalMetrics : IInstruments
{
    private readonly Hot<FraudRules> _rules;
    private readonly Counter<long> _spoke;
    private readonly Counter<long> _missing;

    public SignalMetrics(Meter meter, Hot<FraudRules> rules)
    {
        _rules = rules;
        _spoke = meter.CreateCounter<long>("bridge.fraud.signals", "{user}", "Users that a signal spoke of, by signal.");
        _missing = meter.CreateCounter<long>(
            "bridge.fraud.signals_missing", "{user}", "Users that a signal could say nothing of, by signal and reason.");
    }

    public void Seen(SeenSignals seen)
    {
        foreach (var signal in seen.Spoke)
            _spoke.Add(1, new KeyValuePair<string, object?>("signal", signal));
        foreach (var (signal, why) in seen.Missing)
        {
            _missing.Add(
                1, new KeyValuePair<string, object?>("signal", signal), new KeyValuePair<string, object?>("reason", why));
        }
    }

    public void StartAtZero()
    {
        // What the alert asks for.
        _missing.Add(
            0, new KeyValuePair<string, object?>("signal", SignalNames.NetworkHour),
            new KeyValuePair<string, object?>("reason", MissingOrigins.Proxy));
        if (_rules.Current.IsEnabled)
            _spoke.StartAtZero("signal", SignalNames.All);
    }
}
