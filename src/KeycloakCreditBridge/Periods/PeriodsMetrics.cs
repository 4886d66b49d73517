using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Periods;

/// <summary>Counts what new periods grant and forfeit.</summary>
internal sealed class PeriodsMetrics : IInstruments
{
    private readonly Counter<long> _renewed;
    private readonly Counter<double> _credits;
    private readonly Counter<double> _forfeited;
    private readonly Counter<long> _refused;

    public PeriodsMetrics(Meter meter)
    {
        _renewed = meter.CreateCounter<long>("bridge.periods.renewed", "{account}", "Accounts that began a new period.");
        _credits = meter.CreateCounter<double>("bridge.periods.credits", "{credit}", "Credits that new periods granted.");
        _forfeited = meter.CreateCounter<double>("bridge.periods.forfeited", "{credit}", "Credits forfeited when a period ended.");
        _refused = meter.CreateCounter<long>("bridge.periods.refused", "{account}", "Accounts whose new period the database refused.");
    }

    public void Renewed(RenewedRange range)
    {
        _renewed.Add(range.Renewed);
        _credits.Add((double)range.Credits);
        _forfeited.Add((double)range.Forfeited);
    }

    public void Refused(int accounts) => _refused.Add(accounts);

    public void StartAtZero()
    {
        _renewed.Add(0);
        _credits.Add(0);
        _forfeited.Add(0);
        _refused.Add(0);
    }
}
